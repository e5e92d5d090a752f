// Completes the filter of the run table, and shows a fault of it without leaving the page.
const TOKEN = /'(?:[^']|'')*'?|(?:[\w.]*)[`"](?:[^`"]|``|"")*[`"]?|[<>=!]+|[(),]|[^\s'"`<>=!(),]+/gu;
const WORDS = { LIKE: "value", ILIKE: "value", IN: "list", IS: "null" };
const OPERATORS = {
  metrics: ["=", "!=", ">", ">=", "<", "<=", "IS NULL", "IS NOT NULL", "IS NAN"],
  texts: ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"],
  pairs: ["=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"],
};
const NUMBERS = ["start_time", "end_time"];
const STATUSES = ["running", "scheduled", "finished", "failed", "killed"];
const MOST = 12;

// What comes after a word, where `state` is what was expected before it.
function follow(state, token) {
  const word = token.toUpperCase();
  if (token === "(") return state === "list" ? "list" : state;
  if (token === ")") return "join";
  if (token === ",") return state;
  if (/^[<>=!]/.test(token)) return "value";
  if (state === "key") return word === "NOT" ? "key" : "operator";
  if (state === "operator") return word === "NOT" ? "operator" : (WORDS[word] ?? "operator");
  if (state === "null") return word === "NOT" ? "null" : "join";
  if (state === "join") return word === "AND" || word === "OR" ? "key" : "join";
  return state === "list" ? "list" : "join";
}

// What is expected where `text` ends: { state, target, partial }.
export function expected(text) {
  const tokens = text.match(TOKEN) ?? [];
  const last = tokens.at(-1) ?? "";
  const isOpen = last !== "" && text.endsWith(last) && !/^[(),<>=!]/.test(last);
  const partial = isOpen ? last : "";
  let state = "key";
  let target = "";
  for (const token of isOpen ? tokens.slice(0, -1) : tokens) {
    if (state === "key" && token !== "(" && token.toUpperCase() !== "NOT") target = token;
    state = follow(state, token);
  }
  return { state, target, partial };
}

function operatorsOf(target) {
  if (/^metrics?\./i.test(target)) return OPERATORS.metrics;
  if (/^(param|tag)/i.test(target)) return OPERATORS.pairs;
  const name = target.replace(/^\w+\./, "");
  return NUMBERS.includes(name) ? OPERATORS.metrics.slice(0, -1) : OPERATORS.texts;
}

// Names of which the typed part is the beginning stand before those that have it inside.
function matching(names, partial) {
  const typed = partial.toLowerCase();
  const place = (name) => {
    const text = name.text.toLowerCase();
    return text.startsWith(typed) || text.slice(text.indexOf(".") + 1).startsWith(typed) ? 0 : text.includes(typed) ? 1 : 2;
  };
  return names.filter((name) => place(name) < 2).sort((one, other) => place(one) - place(other));
}

export function offers(text, names) {
  const { state, target, partial } = expected(text);
  const plain = (words) => words.map((word) => ({ text: word, note: "" }));
  let found = [];
  if (state === "key") found = names;
  if (state === "operator") found = plain(operatorsOf(target));
  if (state === "join") found = plain(["AND", "OR"]);
  if (state === "null") found = plain(["NULL", "NOT NULL", "NAN"]);
  if (state === "value" && /(^|\.)status$/i.test(target)) found = plain(STATUSES.map((word) => `'${word}'`));
  return matching(found, partial).filter((each) => each.text !== partial).slice(0, MOST);
}

async function fetchNames(address) {
  const answer = await fetch(address);
  if (!answer.ok) return [];
  const keys = await answer.json();
  const named = [...keys.metrics, ...keys.params, ...keys.tags];
  const uses = (each) => (each.run_count < 1000 ? `${each.run_count} runs` : "1,000 runs or more");
  return [
    ...named.map((each) => ({ text: each.name, note: each.run_count === 1 ? "1 run" : uses(each) })),
    ...keys.attributes.map((name) => ({ text: name, note: "attribute" })),
  ];
}

export function completeFilter(input, list, address) {
  let names = null;
  let shown = [];
  let active = -1;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);

  function draw() {
    list.replaceChildren(
      ...shown.map((each, place) => {
        const option = document.createElement("li");
        const note = document.createElement("span");
        note.textContent = each.note;
        option.id = `${list.id}-${place}`;
        option.role = "option";
        option.ariaSelected = String(place === active);
        option.append(each.text, note);
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus
          accept(place);
        });
        return option;
      }),
    );
    list.hidden = shown.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${list.id}-${active}`);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function close() {
    [shown, active] = [[], -1];
    draw();
  }

  async function suggest() {
    names ??= fetchNames(address).catch(() => []); // no connection: nothing to offer
    const before = input.value.slice(0, input.selectionStart);
    shown = document.activeElement === input ? offers(before, await names) : [];
    active = -1;
    draw();
  }

  function accept(place) {
    const caret = input.selectionStart;
    const { partial } = expected(input.value.slice(0, caret));
    input.setRangeText(`${shown[place].text} `, caret - partial.length, caret, "end");
    suggest();
  }

  input.addEventListener("input", suggest);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) {
      suggest();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = (active + step + shown.length + (active < 0 && step < 0 ? 1 : 0)) % shown.length;
      draw();
    } else if ((event.key === "Enter" || event.key === "Tab") && active >= 0) {
      accept(active);
    } else if (event.key === "Escape" && !list.hidden) {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

function paragraph(...parts) {
  const made = document.createElement("p");
  made.append(...parts);
  return made;
}

// Ask whether the filter can be read; if not, say where it is wrong and leave all else as it is.
export async function checkFilter(input, place) {
  const text = input.value.trim();
  if (!text) return true;
  let answer;
  try {
    answer = await fetch(`/api/v1/run-count?at_most=1&filter=${encodeURIComponent(text)}`);
  } catch {
    return true; // the page itself will tell that there is no connection
  }
  if (answer.status !== 422) return true;
  const problem = await answer.json();
  const at = (problem.facts.position ?? 1) - 1;
  const code = document.createElement("code");
  const mark = document.createElement("mark");
  mark.textContent = text.slice(at, at + 1) || " ";
  code.append(text.slice(0, at), mark, text.slice(at + 1));
  const words = problem.detail.replaceAll("`", "");
  place.replaceChildren(paragraph(code), paragraph(`${words[0].toUpperCase()}${words.slice(1)}.`));
  place.hidden = false;
  input.ariaInvalid = "true";
  input.setAttribute("aria-describedby", place.id);
  input.focus();
  return false;
}
