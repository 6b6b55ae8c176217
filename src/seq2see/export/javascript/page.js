// The page: fields to type into, the answer, other answers, and where the model looked.

const $ = (id) => document.getElementById(id);
const RTL = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const NAMES = { "<eos>": "end", "\t": "⇥", "\n": "↵" };

function make(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

const shown = (token) => NAMES[token] ?? (isSpace(token) ? "␣" : token.replace(/^ /, "␣"));
const percent = (logProb) => {
  const share = 100 * Math.exp(logProb);
  return share >= 99.95 ? "100 %" : share >= 0.05 ? `${share.toFixed(1)} %` : "< 0.1 %";
};
const shade = (weight) => `w${Math.round(100 * Math.min(1, weight))}`;

class Page {
  constructor(model) {
    this.model = model;
    this.inputs = this.makeInputs();
    this.answers = [];
    this.chosen = 0;
    this.timer = 0;
    this.last = 0;
    $("beam").addEventListener("change", () => this.answer());
    $("theme").addEventListener("click", () => this.switchTheme());
    $("grid").addEventListener("mouseover", (event) => this.point(event.target));
    $("grid").addEventListener("mouseleave", () => this.point(null));
    $("target").addEventListener("mouseover", (event) => this.point(event.target));
    $("target").addEventListener("focusin", (event) => this.point(event.target));
    $("target").addEventListener("keydown", (event) => this.move(event));
    for (const [name, value] of Object.entries(this.facts())) $("facts").append(make("dt", {}, name), make("dd", {}, value));
    document.body.classList.add("ready");
    this.inputs[0].focus();
    this.answer();
  }

  facts() {
    const { architecture, parameters } = this.model.about;
    return { architecture, parameters: parameters.toLocaleString("en"), network: "none: all is in this file" };
  }

  // One box per field of the source.
  makeInputs() {
    const kinds = this.model.about.fields ?? [this.model.source ? "Text" : "Text to continue"];
    return kinds.map((kind, i) => {
      const input = make("textarea", { id: `text${i}`, dir: "auto", rows: kinds.length > 1 ? 1 : 2, spellcheck: "false", autocapitalize: "off" });
      input.addEventListener("input", () => this.typed());
      $("inputs").append(make("label", { for: input.id }, kind), input);
      return input;
    });
  }

  // Wait for a pause where an answer takes long.
  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.answer(), this.last > 40 ? 250 : 0);
  }

  answer() {
    const text = this.inputs.map((input) => input.value).join("\t");
    const beam = Number($("beam").value);
    const start = performance.now();
    let problem = "";
    this.answers = [];
    try {
      const found = this.inputs.some(({ value }) => value.trim()) ? this.model.predict(text, { beam, nBest: beam }) : null;
      if (found && found.tokens.length) this.answers = [found, ...found.alternatives];
    } catch (error) {
      problem = error.message;
    }
    this.last = performance.now() - start;
    $("problem").textContent = problem;
    $("time").textContent = this.answers.length ? `${this.last.toFixed(this.last < 10 ? 1 : 0)} ms` : "";
    this.choose(0);
  }

  choose(number) {
    this.chosen = number;
    const answer = this.answers[number];
    $("answer").textContent = answer ? answer.text : "";
    $("answer").classList.toggle("cut", Boolean(answer && !answer.finished));
    $("others").replaceChildren(...this.answers.map((each, i) => this.alternative(each, i)));
    $("rest").hidden = !this.answers.length;
    this.draw(answer);
  }

  alternative(answer, number) {
    const bar = make("span", { class: "bar" });
    bar.style.setProperty("--share", `${100 * Math.exp(answer.logProb)}%`);
    const text = make("span", { dir: "auto", class: "text" }, answer.text || "(empty)");
    const button = make("button", { type: "button", "aria-pressed": number === this.chosen }, text, make("span", { class: "number" }, percent(answer.logProb)), bar);
    button.addEventListener("click", () => {
      this.choose(number);
      $("others").children[number].firstChild.focus();
    });
    return make("li", {}, button);
  }

  // The tokens of both sides, and the weights as a table.
  draw(answer) {
    const weights = answer && answer.weights;
    $("attention").hidden = !answer;
    $("scroll").hidden = $("source").hidden = $("hint").hidden = !weights;
    if (!answer) return;
    const { sourceTokens, tokens } = answer;
    const probabilities = answer.tokenLogProbs.map(percent);
    const side = (id, list, describe) => {
      $(id).dir = RTL.test(list.join("")) ? "rtl" : "ltr";
      $(id).replaceChildren(...list.map((token, i) => make("bdi", { "data-row": i, title: describe(i) }, shown(token))));
    };
    side("source", sourceTokens, () => "");
    side("target", tokens, (i) => `${shown(tokens[i])}: ${probabilities[i]}`);
    if ($("target").firstChild) $("target").firstChild.tabIndex = 0;
    if (!weights) return;
    $("grid").dir = $("source").dir;
    const head = make("tr", {}, make("td"), ...sourceTokens.map((token) => make("th", { scope: "col" }, make("bdi", {}, shown(token)))));
    const rows = weights.map((row, t) => make("tr", { "data-row": t },
      make("th", { scope: "row" }, make("bdi", {}, shown(tokens[t]))),
      ...row.map((weight, s) => make("td", { class: shade(weight), title: `${shown(tokens[t])} ← ${shown(sourceTokens[s])}: ${weight.toFixed(2)}` },
        make("span", { class: "hidden" }, weight.toFixed(2))))));
    $("grid").replaceChildren(make("caption", { class: "hidden" }, "Attention: one row per token of the answer, one column per token of the text"), make("thead", {}, head), make("tbody", {}, ...rows));
    this.point(null);
  }

  // Shade the text by the weights of the token that is pointed at.
  point(element) {
    const place = element && element.closest("[data-row]");
    const row = place ? Number(place.dataset.row) : -1;
    const weights = this.answers[this.chosen]?.weights?.[row];
    Array.from($("source").children, (token, s) => (token.className = weights ? shade(weights[s]) : ""));
    Array.from($("target").children, (token, t) => token.classList.toggle("here", t === row));
    for (const each of $("grid").querySelectorAll("tbody tr")) each.classList.toggle("here", Number(each.dataset.row) === row);
  }

  // Arrow keys go from token to token.
  move(event) {
    const forward = $("target").dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = $("target").dir === "rtl" ? "ArrowRight" : "ArrowLeft";
    const next = event.key === forward ? event.target.nextSibling : event.key === backward ? event.target.previousSibling : null;
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  }

  switchTheme() {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  }
}

// The page is drawn before the model is made.
requestAnimationFrame(() => setTimeout(() => {
  try {
    const { weights, ...values } = JSON.parse($("model").textContent);
    new Page(new Model({ ...values, weights: fromBase64(weights) }));
  } catch (error) {
    $("problem").textContent = `The model can't be used in this browser: ${error.message}`;
  }
}));
