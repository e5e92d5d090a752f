// Draws the figures that the server made; text and grid take their colours from the theme.
const probe = document.createElement("span");

function color(name) {
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function dress(layout) {
  const ink = color("--ink");
  const line = color("--line");
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const dressed = axes.map((key) => [
    key,
    { ...layout[key], gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, spikecolor: line },
  ]);
  return {
    ...layout,
    ...Object.fromEntries(dressed),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    hoverlabel: { bgcolor: color("--paper"), bordercolor: line, font: { color: ink, size: 12 }, align: "left" },
  };
}

async function load(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // no connection
  }
}

async function draw(place) {
  const figure = await load(place.dataset.figure);
  if (!figure) {
    place.classList.add("failed");
    place.textContent = "The charts could not be loaded; the table below has their numbers.";
    return;
  }
  const config = { displayModeBar: false, responsive: true };
  const target = document.createElement("div");
  place.replaceChildren(target);
  await Plotly.newPlot(target, figure.data, dress(figure.layout), config);
  place.dataset.drawn = "yes";
  const redraw = () => Plotly.react(target, figure.data, dress(figure.layout), config);
  addEventListener("paddock-theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

for (const place of document.querySelectorAll("[data-figure]")) draw(place);
