"use strict";
// The page at /: asks as one types, shows the answers and where the model looks. Uses the script of all pages
// (`make`, `all`, `hintScroll`, `nameCell`), answers.js and beam.js, which come before it. All text is set with textContent.
const part = (id) => document.getElementById(id);
const base = document.baseURI.replace(/[?#].*$/, "").replace(/\/?$/, "/");
const fields = ["text", "model", "other", "beam", "sample", "prefix"];
const WAIT = 250, STEP = 1500; // milliseconds without typing until it asks; between two entries of the history
const SHOWN_FROM = 0.05, DENSE_FROM = 26; // as in the pages of reports: cells with a number, and columns without any
const SAMPLES = 5, CHOICES = 5;
let models = [], running = null, timer = 0, stepped = -STEP, shown = "";

const read = () => Object.fromEntries(fields.map((name) => [name, part(name).value]));
const say = (words, isBad = false) => { part("state").textContent = words; part("state").classList.toggle("bad", isBad); };
const named = (name) => models.find((each) => each.name === name);
const chosen = () => named(part("model").value);

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
const requestOf = ({ text, beam, sample, prefix }, model) => {
  const search = sample !== "" ? { sample: true, n_best: SAMPLES, seed: Number(sample) }
    : Number(beam) > 1 ? { beam: Number(beam), n_best: Number(beam), beam_steps: true } : {};
  return { texts: text, model, attention: Boolean(named(model)?.has_attention), top_tokens: CHOICES, ...(prefix && { prefix }), ...search };
};
const answer = async () => {
  clearTimeout(timer);
  if (running) running.abort();
  const asked = read();
  if (!asked.text.trim() && (!chosen() || chosen().source)) {
    shown = "";
    for (const id of ["answers", "others", "tokens", "choices", "branches"]) part(id).replaceChildren();
    part("tree").hidden = part("beside").hidden = part("own-name").hidden = true;
    return say("");
  }
  const own = running = new AbortController();
  part("answers").setAttribute("aria-busy", "true");
  try {
    const began = performance.now(), names = [asked.model, ...(asked.other ? [asked.other] : [])];
    const replies = await Promise.all(names.map((name) => ask("v1/predict", requestOf(asked, name), own.signal)));
    const [answers, others] = replies.map((reply) => reply.results[0].answers), taken = Math.round(performance.now() - began);
    const found = { notes: [...new Set(replies.flatMap((reply) => reply.notes))] };
    remember(asked);
    if (shown !== addressOf(asked)) { show(answers); compare(answers, others, asked.other); grow(answers); }
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
const answerOf = ({ text, error, tokens, finished, attention, log_prob: logProb, token_log_probs: logProbs, top_tokens: choices = [] }) => (
  { text, error, tokens, finished, logProb, logProbs, choices, source: attention && attention.source, weights: attention && attention.weights });
const choose = (answer) => {
  part("tokens").replaceChildren(...(answer.tokens.length ? tokensOf(answer) : []));
  part("choices").replaceChildren();
  all(".scroll", part("tokens")).forEach(hintScroll);
  all("table.heat", part("tokens")).forEach(nameCell);
};

// --- another model beside it: its answers, with what differs between the best of both marked
const LONGEST = 400;
const letters = (text) => [...new Intl.Segmenter().segment(text)].map((each) => each.segment);
const differing = (own, other) => { // of each letter of `own`, whether it is outside the longest common subsequence
  if (own.length > LONGEST || other.length > LONGEST) return own.map(() => false);
  const lengths = Array.from({ length: own.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = own.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      lengths[i][j] = own[i] === other[j] ? 1 + lengths[i + 1][j + 1] : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  let j = 0;
  return own.map((letter, i) => {
    while (j < other.length && letter !== other[j] && lengths[i][j + 1] >= lengths[i + 1][j]) j++;
    if (letter !== other[j]) return true;
    j++;
    return false;
  });
};
const textOf = (answer, other) => {
  if (!other || answer.error || !answer.text) return [answer.error || answer.text || "(empty)"];
  const own = letters(answer.text), marks = differing(own, letters(other.text)), pieces = [];
  own.forEach((letter, i) => {
    if (i && marks[i] === marks[i - 1]) pieces.at(-1).textContent += letter;
    else pieces.push(marks[i] ? make("mark", { textContent: letter }) : document.createTextNode(letter));
  });
  return pieces;
};
const compare = (answers, others, name) => {
  part("beside").hidden = part("own-name").hidden = !others;
  part("own-name").textContent = chosen().name;
  if (!others) return;
  const isSame = others[0].text === answers[0].text;
  part("beside-name").textContent = `${name}: ${isSame ? "the same answer" : "another answer"}`;
  part("others").replaceChildren(...others.map((each) => make("li", {},
    make("span", { className: "text", dir: "auto" }, ...textOf(each, each === others[0] ? answers[0] : null)),
    make("span", { className: "share", textContent: each.log_prob === null ? "" : percent(Math.exp(each.log_prob)) }),
    make("progress", { className: "bar", max: 1, value: Math.exp(each.log_prob ?? -Infinity), ariaHidden: "true" }))));
  part("answers").querySelector(".text").replaceChildren(...textOf(answers[0], others[0]));
};

// --- what the beam considered at each step
const grow = ([{ beam_steps: steps = [] }]) => {
  part("tree").hidden = !steps.length;
  part("branches").replaceChildren(...(steps.length ? [new BeamTree(steps.map((step) => step.map(candidateOf))).element] : []));
  all(".scroll", part("branches")).forEach(hintScroll);
};
const candidateOf = ({ log_prob: logProb, ...rest }) => ({ ...rest, logProb });

const header = (label, scope) => make("th", { scope }, make("bdi", { textContent: label }));
const cellOf = (share, isNumbered) => make("td", {
  className: `w${Math.round(100 * share)}`, title: share.toFixed(4), textContent: isNumbered || share >= SHOWN_FROM ? Math.round(100 * share) : "",
});
const tokensOf = (answer) => {
  const { tokens, logProbs, finished, choices } = answer, weights = answer.weights || [], source = weights.length ? labelsOf(answer.source, true) : [];
  const rows = labelsOf(tokens, finished).map((label, row) => make("tr", {}, tokenHeader(label, choices[row], row),
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

// --- other tokens at the place of one, from which the answer can go on
const labelOf = ({ token }) => (token === "<eos>" ? "∎" : visible(token));
const tokenHeader = (label, choices, row) => {
  if (!choices || !choices.length) return header(label, "row");
  const title = choices.map((each) => `${labelOf(each)} ${percent(Math.exp(each.log_prob))}`).join(", ");
  const button = make("button", { type: "button", className: "token", title }, make("bdi", { textContent: label }));
  button.addEventListener("click", () => {
    for (const each of all("button.token", part("tokens"))) each.ariaPressed = String(each === button);
    choiceList(label, choices, row);
  });
  return make("th", { scope: "row" }, button);
};
const choiceList = (label, choices, row) => {
  const items = choices.map((each) => {
    const share = Math.exp(each.log_prob), isEnd = each.token === "<eos>";
    const button = make("button", { type: "button", disabled: isEnd, title: isEnd ? "Here the answer would end" : "Go on from here" },
      make("bdi", { className: "piece", textContent: labelOf(each) }), make("span", { className: "share", textContent: percent(share) }),
      make("progress", { className: "bar", max: 1, value: share, ariaHidden: "true" }));
    button.addEventListener("click", () => goOn(each.text));
    return make("li", {}, button);
  });
  part("choices").replaceChildren(make("h2", { textContent: `Instead of token ${row + 1}, \u2068${label}\u2069` }),
    make("p", { className: "note", textContent: "The most probable tokens there. Choose one, and the answer goes on from it." }), make("ol", {}, ...items));
};
const goOn = (text) => {
  const field = chosen().source ? "prefix" : "text"; // a language model continues its text
  part(field).value = text;
  part(field).focus();
  answer();
};

const begin = async () => {
  try {
    models = (await ask("v1/models")).models;
    const options = () => models.map((each) => make("option", { value: each.name, textContent: `${each.name} (${each.architecture})` }));
    part("model").replaceChildren(...options());
    part("other").replaceChildren(make("option", { value: "", textContent: "none" }), ...options());
    part("other").parentElement.hidden = models.length < 2;
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
