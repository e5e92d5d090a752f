// Light or dark: what the system says, unless somebody chose. Runs before the first paint.
const root = document.documentElement;

export function chosenTheme() {
  try {
    return localStorage.getItem("paddock-theme") ?? "";
  } catch {
    return ""; // storage is switched off; the choice then lasts for the page
  }
}

export function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function toggleTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("paddock-theme", root.dataset.theme);
  } catch {
    // as above
  }
  dispatchEvent(new CustomEvent("paddock-theme"));
}

const stored = chosenTheme();
if (stored === "light" || stored === "dark") root.dataset.theme = stored;
