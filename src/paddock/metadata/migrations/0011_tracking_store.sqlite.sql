INSERT INTO run_metrics (run_no, key, experiment_no, value, step, at, principal)
SELECT r.run_no, o.key, r.experiment_no,
       CASE o.kind WHEN 'nan' THEN NULL WHEN 'number' THEN o.value WHEN 'inf' THEN 9e999 ELSE -9e999 END,
       o.step, o.at, o.principal
FROM old_run_metrics o JOIN runs r ON r.run_id = o.run_id;

DROP TABLE old_run_metrics;

INSERT INTO metric_tail (run_no, batch_no, points_before, point_count, principal, received_at, body)
SELECT r.run_no, 1, 0, COUNT(*), MIN(p.principal), MIN(p.received_at),
       CAST(json_group_array(json_array(p.key, p.step, p.at,
         CASE p.kind WHEN 'nan' THEN NULL WHEN 'number' THEN p.value ELSE p.kind END)) AS BLOB)
FROM metric_points p JOIN runs r ON r.run_id = p.run_id
GROUP BY r.run_no;

DROP TABLE metric_points;
