"use strict";
// The page at /: asks as one types, shows the answers and where the model looks. Uses the script of all pages
// (`make`, `all`, `hintScroll`, `nameCell`) and answers.js, which come before it. All text is set with textContent.
const part = (id) => document.getElementById(id);
const base = document.baseURI.replace(/[?#].*$/, "").replace(/\/?$/, "/");
const fields = ["text", "model", "beam", "sample", "prefix"];
const WAIT = 250, STEP = 1500; // milliseconds without typing until it asks; between two entries of the history
const SHOWN_FROM = 0.05, DENSE_FROM = 26; // as in the pages of reports: cells with a number, and columns without any
const SAMPLES = 5;
let models = [], running = null, timer = 0, stepped = -STEP, shown = "";

const read = () => Object.fromEntries(fields.map((name) => [name, part(name).value]));
const say = (words, isBad = false) => { part("state").textContent = words; part("state").classList.toggle("bad", isBad); };
const chosen = () => models.find((each) => each.name === part("model").value);

// --- the address holds what is asked: a link shows another person the same, and Back goes back
const addressOf = (asked) => "#" + new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ""));
const remember = (asked) => {
  const address = addressOf(asked);
  if (address === location.hash) return;
  const isStep = location.hash && performance.now() - stepped > STEP;
  history[isStep ? "pushState" : "replaceState"](null, "", address);
  stepped = performance.now();
};
const recall = () => {
  const found = new URLSearchParams(location.hash.slice(1)), first = models[0] && models[0].name;
  for (const name of fields) part(name).value = found.get(name) ?? { beam: "1", model: first ?? "" }[name] ?? "";
  if (part("beam").value === "") part("beam").value = "1";
  if (part("model").value === "") part("model").value = first;
  examples();
};
const examples = () => {
  const texts = (chosen() && chosen().examples) || [];
  part("examples").hidden = !texts.length;
  part("examples").replaceChildren(...texts.map((text) => {
    const button = make("button", { type: "button", textContent: text, dir: "auto" });
    button.addEventListener("click", () => { part("text").value = text; answer(); });
    return button;
  }));
};

// --- asking
const ask = async (path, body, signal) => {
  const key = part("key").value.trim();
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  const reply = await fetch(base + path, body ? { method: "POST", headers, body: JSON.stringify(body), signal } : { headers });
  const found = await reply.json();
  part("key").parentElement.hidden = reply.status !== 401 && !key;
  if (!reply.ok) throw new Error([found.where, found.detail].filter(Boolean).join(": ") + (found.fix ? `. ${found.fix}` : ""));
  return found;
};
const requestOf = ({ text, model, beam, sample, prefix }) => {
  const search = sample !== "" ? { sample: true, n_best: SAMPLES, seed: Number(sample) }
    : Number(beam) > 1 ? { beam: Number(beam), n_best: Number(beam) } : {};
  return { texts: text, model, attention: Boolean(chosen() && chosen().has_attention), ...(prefix && { prefix }), ...search };
};
const answer = async () => {
  clearTimeout(timer);
  if (running) running.abort();
  const asked = read();
  if (!asked.text.trim() && (!chosen() || chosen().source)) {
    shown = "";
    for (const id of ["answers", "tokens"]) part(id).replaceChildren();
    return say("");
  }
  const own = running = new AbortController();
  part("answers").setAttribute("aria-busy", "true");
  try {
    const began = performance.now(), found = await ask("v1/predict", requestOf(asked), own.signal);
    const answers = found.results[0].answers, taken = Math.round(performance.now() - began);
    remember(asked);
    if (shown !== addressOf(asked)) show(answers);
    shown = addressOf(asked);
    const best = answers[0].error || `${answers.length > 1 ? `${answers.length} answers, best: ` : ""}\u2068${answers[0].text}\u2069`;
    say([best, `${taken} ms`, ...found.notes].join(" · "));
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
  if (running === own) part("answers").removeAttribute("aria-busy");
};

// --- answers, the tokens of the one that is chosen, their probability, and where the model looks
const show = (answers) => part("answers").replaceChildren(...answerList(answers.map(answerOf), choose));
const answerOf = ({ text, error, tokens, finished, attention, log_prob: logProb, token_log_probs: logProbs }) => (
  { text, error, tokens, finished, logProb, logProbs, source: attention && attention.source, weights: attention && attention.weights });
const choose = (answer) => {
  part("tokens").replaceChildren(...(answer.tokens.length ? tokensOf(answer) : []));
  all(".scroll", part("tokens")).forEach(hintScroll);
  all("table.heat", part("tokens")).forEach(nameCell);
};
const header = (label, scope) => make("th", { scope }, make("bdi", { textContent: label }));
const cellOf = (share, isNumbered) => make("td", {
  className: `w${Math.round(100 * share)}`, title: share.toFixed(4), textContent: isNumbered || share >= SHOWN_FROM ? Math.round(100 * share) : "",
});
const tokensOf = (answer) => {
  const { tokens, logProbs, finished } = answer, weights = answer.weights || [], source = weights.length ? labelsOf(answer.source, true) : [];
  const rows = labelsOf(tokens, finished).map((label, row) => make("tr", {}, header(label, "row"),
    cellOf(Math.exp(logProbs[row] ?? -Infinity), true), ...(weights[row] || []).map((weight) => cellOf(weight, false))));
  const kinds = ["heat", ...(source.length >= DENSE_FROM ? ["dense"] : []), ...(source.some((label) => label.length > 3) ? ["long"] : [])];
  const words = source.length
    ? "Each token of the answer: its probability in percent, and how much of the attention each token of the text gets"
    : "Each token of the answer and its probability in percent";
  const table = make("table", { className: kinds.join(" "), dir: directionOf(answer.source || []) },
    make("caption", { className: "unseen", textContent: words }),
    make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col", className: "share", textContent: "prob." }), ...source.map((label) => header(label, "col")))),
    make("tbody", {}, ...rows));
  table.dataset.verb = "→";
  const box = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Tokens of the answer" }, table);
  const note = make("p", { className: "note", textContent: words + "; ∎ is the end of the text", ariaHidden: "true" });
  return [make("h2", { textContent: source.length ? "Where the model looked" : "Tokens" }), new Bands(answer).element, note, box];
};

const begin = async () => {
  try {
    models = (await ask("v1/models")).models;
    part("model").replaceChildren(...models.map((each) => make("option", { value: each.name, textContent: `${each.name} (${each.architecture})` })));
    recall();
    await answer();
  } catch (error) { say(error.message, true); }
};
for (const name of fields) part(name).addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(answer, WAIT); });
part("model").addEventListener("change", examples);
part("key").addEventListener("change", begin);
part("form").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
addEventListener("popstate", () => { if (models.length) { recall(); answer(); } });
begin();
