"""Files of runs, as MLflow's clients upload, list, read and delete them."""

import hashlib
import json
import os
import pathlib
import random
import tempfile
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.mlflow

PROXY = "/api/2.0/mlflow-artifacts"


def refusal(mlflow, words):
    return pytest.raises(mlflow.exceptions.MlflowException, match=words)


def new_run(client, experiment_id):
    return client.create_run(experiment_id).info.run_id


def paths(infos):
    return [(info.path, info.is_dir, info.file_size) for info in infos]


def address(tracking_uri, experiment_id, run_id, path=""):
    return f"{tracking_uri}{PROXY}/artifacts/{experiment_id}/{run_id}/artifacts{path}"


def send(method, url, body=None, headers=None):
    """Return status, headers and body of a request of no client."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def digest_of(path):
    with pathlib.Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def large_file(folder, size=30_000_000):
    path = folder / "weights.bin"
    path.write_bytes(random.Random(7).randbytes(size))
    return path


def in_folder():
    """Return a new folder of the client's own; it goes with the session's."""
    return pathlib.Path(tempfile.mkdtemp(dir=pathlib.Path.cwd()))


def test_file_is_logged_listed_and_read(mlflow):
    """What `log_artifact` puts into a run is listed with its size and read back."""
    source = in_folder() / "notes.md"
    source.write_text("späne")
    with mlflow.start_run() as run:
        mlflow.log_artifact(source)
        mlflow.log_artifact(source, "docs/deep")

    client = mlflow.MlflowClient()
    assert paths(client.list_artifacts(run.info.run_id)) == [("docs", True, None), ("notes.md", False, 6)]
    assert paths(client.list_artifacts(run.info.run_id, "docs/deep")) == [("docs/deep/notes.md", False, 6)]
    assert client.list_artifacts(run.info.run_id, "notes.md") == []
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/docs/deep/notes.md") == "späne"


def test_folder_is_logged_and_downloaded(mlflow):
    """A folder comes back as it went in, below itself or below another name."""
    source = in_folder()
    (source / "sub" / "empty").mkdir(parents=True)
    files = {"a.txt": b"a", "sub/b.csv": b"x,y\n1,2\n", "sub/c": b"", "sub/d.html": b"<b>d</b>"}
    for name, body in files.items():
        (source / name).write_bytes(body)
    with mlflow.start_run() as run:
        mlflow.log_artifacts(source, "data")

    target = in_folder()
    mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="data", dst_path=str(target))
    found = {str(each.relative_to(target)): each.read_bytes() for each in target.rglob("*") if each.is_file()}
    assert found == {f"data/{name}": body for name, body in files.items()}


def test_text_dict_figure_image_and_table_are_logged(mlflow):
    """Every form in which the fluent API logs a file arrives under its own media type."""
    import matplotlib as mpl
    import numpy
    from matplotlib.figure import Figure

    mpl.use("Agg")
    figure = Figure()
    figure.subplots().plot([1, 2])
    with mlflow.start_run() as run:
        mlflow.log_text("<h1>x</h1>", "page.html")
        mlflow.log_dict({"a": [1, None]}, "config/a.json")
        mlflow.log_dict({"a": 1}, "config/a.yaml")
        mlflow.log_figure(figure, "plot.png")
        mlflow.log_figure(figure, "plot.svg")
        mlflow.log_image(numpy.zeros((4, 4, 3), dtype="uint8"), "pixels.png")
        mlflow.log_image(numpy.zeros((4, 4)), key="step", step=3)
        mlflow.log_table({"q": ["a"], "n": [1]}, "table.json")
        mlflow.log_table({"q": ["b"], "n": [2]}, "table.json")

    uri = f"runs:/{run.info.run_id}"
    assert mlflow.artifacts.load_text(f"{uri}/page.html") == "<h1>x</h1>"
    assert mlflow.artifacts.load_dict(f"{uri}/config/a.json") == {"a": [1, None]}
    assert mlflow.artifacts.load_image(f"{uri}/pixels.png").size == (4, 4)
    assert mlflow.load_table("table.json", run_ids=[run.info.run_id])["q"].tolist() == ["a", "b"]
    listed = [info.path for info in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    assert listed == ["config", "images", "page.html", "pixels.png", "plot.png", "plot.svg", "table.json"]


def test_file_logged_again_is_replaced(mlflow, client, experiment_id):
    """The last file of a name counts."""
    run_id = new_run(client, experiment_id)
    client.log_text(run_id, "first", "note.txt")
    client.log_text(run_id, "second and longer", "note.txt")

    assert mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt") == "second and longer"
    assert paths(client.list_artifacts(run_id)) == [("note.txt", False, 17)]


@pytest.mark.parametrize(
    "name",
    [
        *("späne 1.txt", "100%.txt", "50% off.txt", "a%20b.txt", "a+b&c=d.txt", "[x](y)!$'@,~.txt"),
        *("no extension", ".hidden", "日本.json", "MLmodel", "a" * 200),
    ],
)
def test_odd_file_name_comes_back(mlflow, client, experiment_id, name):
    """A file can be read under the name that the list tells, whatever the client makes of its letters."""
    run_id = new_run(client, experiment_id)
    source = in_folder() / name
    source.write_bytes(name.encode())
    client.log_artifact(run_id, str(source), "odd")

    (listed,) = client.list_artifacts(run_id, "odd")
    local = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=listed.path)
    assert pathlib.Path(local).read_bytes() == name.encode()


def test_artifacts_are_deleted(mlflow, client, experiment_id):
    """A file, a folder and everything are deleted; what is gone can be deleted again."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    run_id = new_run(client, experiment_id)
    for name in ("a.txt", "b/c.txt", "b/d.txt", "e.txt"):
        client.log_text(run_id, name, name)
    store = get_artifact_repository(client.get_run(run_id).info.artifact_uri)

    store.delete_artifacts("a.txt")
    store.delete_artifacts("b")
    store.delete_artifacts("b")
    assert [info.path for info in client.list_artifacts(run_id)] == ["e.txt"]
    store.delete_artifacts()
    store.delete_artifacts()
    assert client.list_artifacts(run_id) == []


def test_large_file_comes_back_whole(mlflow, client, experiment_id):
    """30 MB go up and down in one stream."""
    run_id = new_run(client, experiment_id)
    source = large_file(in_folder())
    client.log_artifact(run_id, str(source))

    local = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="weights.bin")
    assert digest_of(local) == digest_of(source)


def test_large_file_goes_up_and_down_in_parts(mlflow, client, experiment_id):
    """With multipart forced, the parts make the same file, and a download in ranges gives it back."""
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] = "true"
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] = "true"
    os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = "1"
    os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = os.environ["MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE"] = (
        "7000000"
    )
    run_id = new_run(client, experiment_id)
    source = large_file(in_folder())
    client.log_artifact(run_id, str(source), "deep/er")

    assert paths(client.list_artifacts(run_id, "deep/er")) == [("deep/er/weights.bin", False, 30_000_000)]
    local = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="deep/er/weights.bin")
    assert digest_of(local) == digest_of(source)


def test_parts_of_another_workspace_stay_there(mlflow, client):
    """An upload in parts ends in the project of its client, whose header the parts do not carry."""
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] = "true"
    os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = "1"
    mlflow.create_workspace("parts")
    mlflow.set_workspace("parts")
    run_id = client.create_run("0").info.run_id
    source = in_folder() / "x.bin"
    source.write_bytes(b"in parts")
    client.log_artifact(run_id, str(source))

    assert mlflow.artifacts.load_text(f"runs:/{run_id}/x.bin") == "in parts"


def test_failed_parts_leave_nothing(api, client, experiment_id):
    """Parts that are missing keep the file from being there; the upload can be dropped, also twice."""
    run_id = new_run(client, experiment_id)
    at = f"{experiment_id}/{run_id}/artifacts/deep"
    status, begun = api("POST", f"{PROXY}/mpu/create/{at}", {"path": "/home/ann/x.bin", "num_parts": 2})
    ended = {"path": "x.bin", "upload_id": begun["upload_id"], "parts": [{"part_number": 1, "etag": "a"}]}

    assert (status, [each["part_number"] for each in begun["credentials"]]) == (200, [1, 2])
    code, body = api("POST", f"{PROXY}/mpu/complete/{at}", ended)
    assert (code, body["error_code"]) == (400, "INVALID_STATE")
    assert "part 1 has not arrived" in body["message"]
    assert api("POST", f"{PROXY}/mpu/abort/{at}", {**ended, "path": "y.bin"})[0] == 400
    assert api("POST", f"{PROXY}/mpu/abort/{at}", ended) == (200, {})
    assert client.list_artifacts(run_id) == []


def test_run_without_files_has_none(mlflow, client, experiment_id):
    """An empty list is an answer; an unknown run or file is RESOURCE_DOES_NOT_EXIST."""
    run_id = new_run(client, experiment_id)

    assert client.list_artifacts(run_id) == []
    assert client.list_artifacts(run_id, "nowhere") == []
    with refusal(mlflow, "Failed to download artifacts from path 'nowhere.txt'"):
        mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="nowhere.txt")


def test_list_of_a_run_names_whole_paths(api, client, experiment_id):
    """`artifacts/list` tells where the files are and names them below it, for `run_uuid` as well."""
    run_id = new_run(client, experiment_id)
    client.log_text(run_id, "abc", "deep/x.txt")

    status, body = api("GET", f"artifacts/list?run_uuid={run_id}&path=deep")

    assert status == 200
    assert body["root_uri"] == client.get_run(run_id).info.artifact_uri
    assert body["files"] == [{"path": "deep/x.txt", "is_dir": False, "file_size": 3}]
    assert api("GET", "artifacts/list?run_id=nobody")[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert api("GET", "artifacts/list")[1]["message"] == "Missing value for required parameter 'run_id'."


def test_thousands_of_files_are_listed_at_once(client, experiment_id, tracking_uri):
    """The clients ask once, so that the answer has all files."""
    import http.client

    run_id = new_run(client, experiment_id)
    connection = http.client.HTTPConnection(tracking_uri.removeprefix("http://"))
    for number in range(1_005):
        connection.request("PUT", address("", experiment_id, run_id, f"/f{number:04}"), b"x")
        assert connection.getresponse().read() == b"{}"
    connection.close()

    assert len(client.list_artifacts(run_id)) == 1_005


def test_upload_needs_no_type(tracking_uri, client, experiment_id):
    """A PUT is taken with any media type and with none."""
    run_id = new_run(client, experiment_id)
    url = address(tracking_uri, experiment_id, run_id)

    for place, headers in enumerate(({}, {"Content-Type": "text/html"}, {"Content-Type": "image/png"})):
        assert send("PUT", f"{url}/{place}", b"x", headers)[0] == 200
    assert len(client.list_artifacts(run_id)) == 3


def test_download_is_an_attachment_with_ranges(tracking_uri, client, experiment_id):
    """A page is never shown in the server's origin; a part is sent where one is asked for."""
    run_id = new_run(client, experiment_id)
    client.log_text(run_id, "<script>1</script>", "page.html")
    url = address(tracking_uri, experiment_id, run_id, "/page.html")

    status, headers, _ = send("GET", url)
    assert status == 200
    assert headers["Content-Disposition"].startswith("attachment;")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, headers, body = send("GET", url, headers={"Range": "bytes=1-6"})
    assert (status, headers["Content-Range"], body) == (206, "bytes 1-6/18", b"script")
    assert send("GET", url, headers={"If-None-Match": headers["ETag"]})[0] == 304


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/%2e%2e/x", "/a/%2e%2e/%2e%2e/x", "/%252e%252e/x", "/a%252f..%252fx"),
        *("/%25252e%25252e/x", "/a%5cb", "/..%5cx", "/a%00.txt", "/%c0%ae%c0%ae/x", "/a;b", "/;/x", "//x"),
        *("/C:/x", "/x.txt:ads", "/x.", "/x%20", "/a%0d%0aSet-Cookie:%20b", "/%EF%BC%8E%EF%BC%8E/x"),
        *("/a%25c0%25ae/x", "/e%CC%81.txt", "/" + "a" * 256, "/a%255cb", "/a%253ab"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_name_that_climbs_is_refused(tracking_uri, client, experiment_id, path, method):
    """A name that could be read in two ways is refused on every way in, and nothing is stored."""
    run_id = new_run(client, experiment_id)
    url = address(tracking_uri, experiment_id, run_id, path)

    status, _, body = send(method, url, b"x" if method == "PUT" else None)

    assert status == 400, body
    assert client.list_artifacts(run_id) == []


@pytest.mark.parametrize("path", ["..", "../x", "a/../..", "/etc", "%2e%2e/x", "a\\b", "a/./b"])
def test_list_climbs_nowhere(api, client, experiment_id, path):
    """A folder that climbs is refused when it is listed, in both kinds of lists."""
    from urllib.parse import quote

    run_id, asked = new_run(client, experiment_id), quote(path, safe="")

    for url in (
        f"artifacts/list?run_id={run_id}&path={asked}",
        f"{PROXY}/artifacts?path={experiment_id}/{run_id}/artifacts/{asked}",
        f"/get-artifact?run_uuid={run_id}&path={asked}",
    ):
        status, body = api("GET", url)
        assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), url


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a:b", "", "x."])
def test_upload_in_parts_has_a_name_like_any(api, client, experiment_id, name):
    """The name in the body of an upload in parts obeys the rules of all names."""
    at = f"{experiment_id}/{new_run(client, experiment_id)}/artifacts"

    status, body = api("POST", f"{PROXY}/mpu/create/{at}", {"path": f"/tmp/{name}", "num_parts": 1})

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_files_of_a_run_lie_in_its_experiment(mlflow, tracking_uri, client, experiment_id):
    """An address that names a run in another experiment, or a run that is not there, names nothing."""
    run_id = new_run(client, experiment_id)
    other = mlflow.create_experiment(f"{experiment_id}-other-{run_id}")
    client.log_text(run_id, "x", "x.txt")

    for url in (
        address(tracking_uri, other, run_id, "/x.txt"),
        address(tracking_uri, experiment_id, "0" * 32, "/x.txt"),
        address(tracking_uri, f"{experiment_id}/models", "m-nobody", "/x.txt"),
    ):
        for method in ("GET", "PUT", "DELETE"):
            status, _, body = send(method, url, b"y" if method == "PUT" else None)
            assert (status, json.loads(body)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/x.txt") == "x"


def test_experiment_with_a_place_of_its_own(mlflow, client, experiment_id):
    """Files that an experiment keeps under another name on this server are the run's all the same."""
    at = f"mlflow-artifacts:/teams/flights-{experiment_id}"
    own = mlflow.create_experiment(f"own-{experiment_id}", artifact_location=at)
    run_id = client.create_run(own).info.run_id
    client.log_text(run_id, "here", "x.txt")

    assert client.get_run(run_id).info.artifact_uri == f"{at}/{run_id}/artifacts"
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/x.txt") == "here"
    assert [info.path for info in client.list_artifacts(run_id)] == ["x.txt"]


def test_files_of_no_run_are_kept_too(mlflow, experiment_id):
    """An address that is no run's and no model's is a file of the project."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    store = get_artifact_repository(f"mlflow-artifacts:/shared/{experiment_id}")
    source = in_folder() / "schema.json"
    source.write_text("{}")
    store.log_artifact(str(source), "v1")

    assert [info.path for info in store.list_artifacts()] == ["v1"]
    uri = f"mlflow-artifacts:/shared/{experiment_id}/v1/schema.json"
    assert mlflow.artifacts.load_text(uri) == "{}"
    store.delete_artifacts("v1")
    assert store.list_artifacts() == []


def test_workspaces_have_their_own_files(mlflow, client):
    """The files of a run are seen in its workspace and in no other."""
    mlflow.create_workspace("hangar")
    mlflow.set_workspace("hangar")
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "x", "x.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/x.txt") == "x"

    mlflow.set_workspace("default")
    with refusal(mlflow, "not found"):
        mlflow.artifacts.load_text(f"runs:/{run_id}/x.txt")


def test_pages_get_and_post_files(api, client, experiment_id, tracking_uri):
    """The addresses without a version serve a file of a run, and take one of at most 10 MB."""
    run_id = new_run(client, experiment_id)
    url = f"{tracking_uri}/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=deep/x.txt"
    headers = {"Content-Type": "application/octet-stream"}

    assert send("POST", url, b"abc", headers)[0] == 200
    assert send("GET", f"{tracking_uri}/get-artifact?run_id={run_id}&path=deep/x.txt")[2] == b"abc"
    assert send("POST", url, b"", headers)[0] == 400
    assert send("POST", url, b"x" * 10_485_761, headers)[0] == 413
    status, body = api("GET", f"/get-artifact?run_uuid={run_id}&path=nowhere")
    assert (status, body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_presigned_addresses_are_our_own(api, client, experiment_id):
    """Who asks for an address without headers gets one of this server, to put a file and to read it."""
    run_id = new_run(client, experiment_id)
    asked = {"run_id": run_id, "path": "deep/ä b.txt"}

    status, up = api("POST", "artifacts/presigned-upload-url", asked)
    assert status == 200
    assert send("PUT", up["presigned_url"], b"abc", up["headers"])[0] == 200
    status, down = api("POST", "artifacts/presigned-download-url", asked)
    assert (status, down["file_size"]) == (200, 3)
    assert send("GET", down["presigned_url"], headers=down["headers"])[2] == b"abc"
    for body in ({**asked, "expiration": 0}, {"path": "x"}, {**asked, "path": "../x"}):
        assert api("POST", "artifacts/presigned-upload-url", body)[0] == 400


def test_nested_runs_have_files_of_their_own(mlflow):
    """A child's files are its own, and it names its parent."""
    with mlflow.start_run() as parent:
        mlflow.log_text("parent", "x.txt")
        with mlflow.start_run(nested=True) as child:
            mlflow.log_text("child", "x.txt")

    assert mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/x.txt") == "parent"
    assert mlflow.artifacts.load_text(f"runs:/{child.info.run_id}/x.txt") == "child"
    found = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert found.run_id.tolist() == [child.info.run_id]
