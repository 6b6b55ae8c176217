"use strict";
// Type a text, see its answers, their probabilities and where the model looked. Text is only ever set as text.
const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const base = document.baseURI.replace(/[?#].*$/, "").replace(/\/?$/, "/");
const fields = ["text", "model", "beam", "sample"];
const WAIT = 250; // milliseconds without typing
let models = [], running = null, timer = 0;

const read = () => Object.fromEntries(fields.map((name) => [name, $(name).value]));
const say = (words, isBad = false) => { $("state").textContent = words; $("state").classList.toggle("bad", isBad); };

// The address holds what is asked: a link shows another person the same.
const remember = () => history.replaceState(null, "", "#" + new URLSearchParams(read()));
const recall = () => {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (fields.includes(name)) $(name).value = value;
};

const headers = () => {
  const key = $("key").value.trim();
  return { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
};
const ask = async (path, body, signal) => {
  const reply = await fetch(base + path, body && { method: "POST", headers: headers(), body: JSON.stringify(body), signal } || { headers: headers() });
  const found = await reply.json();
  if (reply.status === 401) $("key").parentElement.hidden = false;
  if (!reply.ok) throw new Error([found.where, found.detail].filter(Boolean).join(": ") + (found.fix ? `. ${found.fix}` : ""));
  return found;
};

const request = () => {
  const { text, model, beam, sample } = read();
  const number = Number(beam), known = models.find((each) => each.name === model);
  const search = sample === "" ? (number > 1 ? { beam: number, n_best: number } : {}) : { sample: true, n_best: 5, seed: Number(sample) };
  return { texts: text, model, attention: Boolean(known && known.has_attention), ...search };
};

const answer = async () => {
  remember();
  if (running) running.abort();
  if (!$("text").value.trim()) { $("answers").replaceChildren(); $("attention").replaceChildren(); say(""); return; }
  const own = running = new AbortController();
  say("…");
  try {
    const began = performance.now();
    const found = await ask("v1/predict", request(), own.signal);
    show(found.results[0].answers);
    say([`${Math.round(performance.now() - began)} ms`, ...found.notes].join(" · "));
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
};

const show = (answers) => {
  $("answers").replaceChildren(...answers.map((each, place) => {
    const share = each.log_prob === null ? 0 : Math.exp(each.log_prob);
    const bar = make("span");
    bar.style.setProperty("--share", share);
    const button = make("button", { type: "button", ariaPressed: String(place === 0) },
      make("span", { className: "text", dir: "auto", textContent: each.error || each.text || "(empty)" }),
      make("span", { className: "share", textContent: `${(100 * share).toFixed(1)} %` + (each.finished ? "" : ", cut off") }),
      make("span", { className: "bar" }, bar));
    button.addEventListener("click", () => {
      for (const other of $("answers").querySelectorAll("button")) other.ariaPressed = String(other === button);
      attend(each);
    });
    return make("li", {}, button);
  }));
  attend(answers[0]);
};

const attend = ({ attention }) => {
  if (!attention || !attention.weights.length) { $("attention").replaceChildren(); return; }
  const { source, target, weights } = attention;
  const head = make("tr", {}, make("td"), ...source.map((token) => make("th", { scope: "col", dir: "auto", textContent: token })));
  const rows = weights.map((row, place) => make("tr", {}, make("th", { scope: "row", dir: "auto", textContent: target[place] }),
    ...row.map((weight, column) => {
      const cell = make("td", { title: `${target[place]} looks at ${source[column]}: ${(100 * weight).toFixed(1)} %` });
      cell.style.setProperty("--weight", weight);
      cell.ariaLabel = `${Math.round(100 * weight)} %`;
      return cell;
    })));
  const caption = make("p", { textContent: "Attention: a row per token of the answer, a column per token of the text" });
  const box = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Attention" }, make("table", {}, make("tbody", {}, head, ...rows)));
  $("attention").replaceChildren(caption, box);
};

const begin = async () => {
  try {
    models = (await ask("v1/models")).models;
    $("model").replaceChildren(...models.map((each) => make("option", { value: each.name, textContent: `${each.name} (${each.architecture})` })));
    recall();
    await answer();
  } catch (error) { say(error.message, true); }
};
for (const name of fields) $(name).addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(answer, WAIT); });
$("key").addEventListener("change", begin);
$("form").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
begin();
