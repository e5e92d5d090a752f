// The run table: completion, selection, keys, and addresses without what is as usual. It works without all this.
import { checkFilter, completeFilter } from "./filter.js";

const BOXES = ".pick input[name=runs]";
const USUAL = { limit: "50", lifecycle: "active" };
const view = document.getElementById("view");
const filter = document.getElementById("filter");
const table = document.getElementById("runs");
const count = document.getElementById("count");

// The address as the server writes it: lists between commas, nothing that is empty.
function write(pairs) {
  const lists = new Map();
  for (const [name, value] of pairs) {
    if (value !== "") lists.set(name, [...(lists.get(name) ?? []), value]);
  }
  const encode = (value) => encodeURIComponent(value).replace(/%20/g, "+").replace(/%(2C|2F|3A|40)/g, decodeURIComponent);
  const query = [...lists].map(([name, values]) => `${name}=${encode(values.join(","))}`).join("&");
  return query ? `/runs?${query}` : "/runs";
}

function isUsual(name, values) {
  if (name === "usual") return true;
  if (name !== "columns") return USUAL[name] === values[0];
  const usual = view.elements.namedItem("usual")?.value ?? "";
  return usual.split(",").sort().join() === values.join().split(",").sort().join();
}

async function show(event) {
  event.preventDefault();
  if (!(await checkFilter(filter, document.getElementById("fault")))) return;
  const data = new FormData(view);
  const names = new Set(data.keys());
  const pairs = [...names].flatMap((name) => {
    const values = data.getAll(name);
    return isUsual(name, values) ? [] : values.map((value) => [name, value]);
  });
  location.assign(write(pairs));
}

function findIn(panel) {
  const labels = [...panel.querySelectorAll("label")];
  if (labels.length < 20) return;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Find";
  field.ariaLabel = "Find in this list";
  field.addEventListener("input", () => {
    const typed = field.value.toLowerCase();
    for (const label of labels) label.hidden = !label.textContent.toLowerCase().includes(typed);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  panel.prepend(field);
}

function watchMenus() {
  const menus = [...view.querySelectorAll(".menu")];
  const close = (but) => menus.filter((menu) => menu !== but).forEach((menu) => (menu.open = false));
  menus.forEach((menu) => findIn(menu.querySelector(".panel")));
  addEventListener("click", (event) => close(event.target.closest(".menu")));
  addEventListener("keydown", (event) => {
    const open = menus.find((menu) => menu.open);
    if (event.key !== "Escape" || !open) return;
    close(null);
    open.querySelector("summary").focus();
  });
}

function watchSelection() {
  const boxes = [...table.querySelectorAll(BOXES)];
  const most = Number(table.dataset.most);
  const said = document.getElementById("selected");
  const unselect = document.getElementById("unselect");
  let before = -1;

  const chosen = () => [...new Set(new FormData(table).getAll("runs"))];

  function readdress(address, ids) {
    const query = new URLSearchParams(address.search);
    query.delete("changed");
    query.delete("selected");
    return write([...query, ...ids.map((id) => ["selected", id])]) + address.hash;
  }

  function tell() {
    const ids = chosen();
    said.textContent = `${ids.length} selected`;
    unselect.hidden = ids.length === 0;
    for (const button of table.querySelectorAll("[data-needs]")) {
      button.disabled = ids.length < Number(button.dataset.needs);
    }
    for (const all of table.querySelectorAll(".all")) {
      const own = [...all.closest("table").querySelectorAll(BOXES)];
      const ticked = own.filter((box) => box.checked).length;
      all.checked = own.length > 0 && ticked === own.length;
      all.indeterminate = ticked > 0 && ticked < own.length;
    }
    for (const link of document.querySelectorAll("main a[href^='/runs?'], main a[href='/runs']")) {
      if (!link.closest(".files") && link !== unselect) link.href = readdress(link, ids);
    }
    for (const field of view.querySelectorAll("[name=selected]")) field.remove();
    const kept = document.createElement("input");
    Object.assign(kept, { type: "hidden", name: "selected", value: ids.join(",") });
    view.append(kept);
    history.replaceState(history.state, "", readdress(location, ids));
  }

  function tick(wanted, isTicked) {
    for (const box of wanted) box.checked = isTicked;
    const excess = chosen().length - most;
    if (isTicked && excess > 0) wanted.slice(-excess).forEach((box) => (box.checked = false));
    tell();
    if (isTicked && excess > 0) said.textContent = `${most} selected, which is the most`;
  }

  boxes.forEach((box, place) => {
    box.addEventListener("click", (event) => {
      const isRange = event.shiftKey && before >= 0;
      const ends = isRange ? [Math.min(before, place), Math.max(before, place)] : [place, place];
      tick(boxes.slice(ends[0], ends[1] + 1), box.checked);
      before = place;
    });
  });
  for (const all of table.querySelectorAll(".all")) {
    all.hidden = false;
    all.addEventListener("click", () => tick([...all.closest("table").querySelectorAll(BOXES)], all.checked));
  }
  unselect.addEventListener("click", (event) => {
    event.preventDefault();
    table.querySelectorAll("[type=hidden][name=runs]").forEach((field) => field.remove());
    tick(boxes, false);
  });
  addEventListener("pageshow", tell); // the browser may have restored what was ticked
  tell();
}

// `j` and `k` go from run to run, `x` selects the one that has the focus.
function watchKeys() {
  const links = [...table.querySelectorAll(".pick + th[scope=row] a")];
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const row = document.activeElement.closest("#runs tr");
    const place = links.findIndex((link) => link.closest("tr") === row);
    if (event.key === "j" || event.key === "k") {
      const next = event.key === "j" ? place + 1 : Math.max(place, 1) - 1;
      links[Math.min(next, links.length - 1)]?.focus();
    } else if (event.key === "x" && place >= 0) {
      links[place].closest("tr").querySelector(".pick input").click();
    } else {
      return;
    }
    event.preventDefault();
  });
}

async function countRuns(address) {
  const answer = await fetch(address);
  if (!answer.ok) return;
  const found = await answer.json();
  const number = (value) => value.toLocaleString("en");
  if (!found.is_exact) count.textContent = `more than ${number(found.run_count - 1)} runs`;
  else count.textContent = found.run_count === 1 ? "1 run" : `${number(found.run_count)} runs`;
}

view.addEventListener("submit", show);
completeFilter(filter, document.getElementById("offers"), view.dataset.keys);
filter.addEventListener("keydown", (event) => {
  if (event.key === "Escape") filter.blur();
});
watchMenus();
if (table) {
  watchSelection();
  watchKeys();
}
if (count.dataset.address) countRuns(count.dataset.address).catch(() => {}); // without a connection it stays unsaid
