// Keys, the theme switch and copy buttons. Every page works without them.
import { isDark, toggleTheme } from "./theme.js";

const goals = new Map([...document.querySelectorAll("[data-key]")].map((link) => [link.dataset.key, link.href]));
const button = document.getElementById("theme");
const keys = document.getElementById("keys");
let waiting = 0;

function nameButton() {
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
}

button.hidden = false;
button.addEventListener("click", toggleTheme);
addEventListener("paddock-theme", nameButton);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameButton);
nameButton();

for (const copy of document.querySelectorAll("[data-copy]")) {
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.textContent = "copied";
    setTimeout(() => (copy.textContent = "copy"), 1500);
  });
}

document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const select of document.querySelectorAll(".filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target.closest("input, select, textarea")) return;
  const key = event.key;
  if (Date.now() - waiting < 1500 && goals.has(key)) {
    location.assign(goals.get(key));
  } else if (key === "/") {
    (document.querySelector("[data-slash]") ?? document.querySelector(".search input")).focus();
  } else if (key === "?") {
    keys.showModal();
  } else if (key === "t") {
    toggleTheme();
  } else {
    waiting = key === "g" ? Date.now() : 0;
    return;
  }
  waiting = 0;
  event.preventDefault();
});
