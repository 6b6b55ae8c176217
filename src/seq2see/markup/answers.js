// Answers of a model: the list of them with their probabilities, their tokens, and where the model looks. Comes after
// elements.js. An answer is { text, tokens, logProbs, logProb, finished, source, weights }; without attention, `weights` is null.
const DRAWN_FROM = 0.02, NAMED_FROM = 0.1; // least weight of a band, and of a token that is named
const MARKS = { "\t": "⇥", "\n": "↵", "\r": "↵" };
const RIGHT_TO_LEFT = /^[^\p{L}]*[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const visible = (token) => token.replace(/[\t\n\r]/g, (mark) => MARKS[mark]).replace(/\p{Zs}/gu, "␣").replace(/^(?=\p{M})/u, "◌");
const labelsOf = (tokens, isWhole) => tokens.map((token, place) =>
  (isWhole && place === tokens.length - 1 && token === "<eos>" ? "∎" : visible(token)));
const directionOf = (tokens) => (RIGHT_TO_LEFT.test(tokens.join("")) ? "rtl" : "ltr");
const percent = (share) => {
  const hundred = 100 * share;
  return hundred > 0 && hundred < 0.1 ? "< 0.1 %" : hundred >= 99.95 ? "100 %" : `${hundred.toFixed(hundred < 10 ? 1 : 0)} %`;
};
const isolated = (text) => `\u2068${text}\u2069`;
const weighted = (element, weight) => { element.style.setProperty("--w", weight.toFixed(3)); return element; };

// A list of buttons, each with the probability of its answer as a bar; `choose` is called with the one that is chosen.
const answerList = (answers, choose) => {
  const buttons = answers.map((each) => {
    const share = Math.exp(each.logProb ?? -Infinity);
    return make("button", { type: "button" },
      make("span", { className: "text", dir: "auto", textContent: each.error || each.text || "(empty)" }),
      make("span", { className: "share", textContent: each.error ? "" : percent(share) + (each.finished ? "" : ", cut off") }),
      make("progress", { className: "bar", max: 1, value: share, ariaHidden: "true" }));
  });
  const press = (place) => {
    buttons.forEach((other, own) => { other.ariaPressed = String(own === place); });
    choose(answers[place]);
  };
  buttons.forEach((button, place) => {
    button.addEventListener("click", () => press(place));
    button.addEventListener("keydown", (event) => {
      const other = buttons[place + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] ?? NaN)];
      if (other) { other.focus(); other.click(); event.preventDefault(); }
    });
  });
  if (buttons.length) press(0);
  return buttons.map((button) => make("li", {}, button));
};

// The tokens of the text above those of the answer, and a band from each to those that it looks at. Pointing at a token, or
// going there with the arrow keys, shows its bands alone and says their weights. Without attention there are no bands.
class Bands {
  constructor({ tokens, logProbs, finished, source, weights }) {
    this.weights = weights || [];
    this.shares = tokens.map((_, place) => Math.exp(logProbs[place] ?? -Infinity));
    this.labels = { source: weights ? labelsOf(source, true) : [], target: labelsOf(tokens, finished) };
    this.rows = { source: this.row("source", "Tokens of the text", source || []), target: this.row("target", "Tokens of the answer", tokens) };
    this.rows.target.childNodes.forEach((token, place) => token.style.setProperty("--p", this.shares[place].toFixed(3)));
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.ariaHidden = "true";
    this.paths = this.weights.flatMap((row, t) => row.flatMap((weight, s) => (weight < DRAWN_FROM ? [] : [[s, t, weight]])))
      .sort((one, other) => one[2] - other[2]).map(([s, t, weight]) => {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        this.lines.append(weighted(path, weight));
        return { path, s, t };
      });
    this.readout = make("p", { className: "readout", ariaHidden: "true" });
    const flow = make("div", { className: "flow" }, ...(weights ? [this.rows.source, this.lines] : []), this.rows.target);
    flow.addEventListener("pointerleave", () => this.point());
    this.scroll = make("div", { className: "scroll" }, flow);
    this.element = make("div", { className: "bands" }, this.scroll, this.readout);
    new ResizeObserver(() => this.draw()).observe(flow);
  }

  row(side, name, tokens) {
    const buttons = this.labels[side].map((label, place) => {
      const button = make("button", { type: "button", tabIndex: place ? -1 : 0, ariaLabel: this.describe(side, place) },
        make("bdi", { textContent: label }));
      for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.point(side, place));
      button.addEventListener("keydown", (event) => this.move(event, side, place));
      return button;
    });
    return make("div", { className: `tokens ${side}`, role: "group", ariaLabel: name, dir: directionOf(tokens) }, ...buttons);
  }

  // The weights between this token and those of the other side.
  of(side, place) {
    return side === "target" ? this.weights[place] || [] : this.weights.map((row) => row[place]);
  }

  describe(side, place) {
    const labels = this.labels[side === "target" ? "source" : "target"];
    const seen = this.of(side, place).map((weight, other) => [weight, labels[other]]).filter(([weight]) => weight >= NAMED_FROM)
      .sort((one, other) => other[0] - one[0]).slice(0, 4).map(([weight, label]) => `${isolated(label)} ${percent(weight)}`).join(", ");
    const label = isolated(this.labels[side][place]);
    if (side === "source") return `${label}: seen by ${seen || "none"}`;
    return `${label}: probability ${percent(this.shares[place])}${seen && "; looks at "}${seen}`;
  }

  point(side, place) {
    const other = side === "target" ? "source" : "target", weights = side ? this.of(side, place) : [];
    this.element.classList.toggle("pointed", weights.length > 0);
    for (const [name, row] of Object.entries(this.rows)) {
      row.childNodes.forEach((token, own) => {
        token.classList.toggle("here", name === side && own === place);
        token.classList.toggle("shaded", name === other && weights[own] >= DRAWN_FROM);
        weighted(token, name === other ? weights[own] || 0 : 0);
      });
    }
    for (const { path, s, t } of this.paths) path.classList.toggle("here", (side === "target" ? t : s) === place);
    this.readout.textContent = side ? this.describe(side, place) : "";
  }

  // Left and right along a side, up and down to the token of the other side that weighs most.
  move(event, side, place) {
    const forward = this.rows[side].dir === "rtl" ? -1 : 1, weights = this.of(side, place), last = this.labels[side].length - 1;
    const next = { ArrowRight: place + forward, ArrowLeft: place - forward, Home: 0, End: last }[event.key];
    const across = { ArrowUp: "source", ArrowDown: "target" }[event.key];
    const found = across && across !== side && weights.length
      ? this.rows[across].children[weights.indexOf(Math.max(...weights))] : this.rows[side].children[next];
    if (!found) return;
    for (const token of found.parentElement.children) token.tabIndex = token === found ? 0 : -1;
    found.focus();
    event.preventDefault();
  }

  draw() {
    const box = this.lines.getBoundingClientRect();
    const places = ({ children }) => [...children].map((token) => {
      const { left, width } = token.getBoundingClientRect();
      return left + width / 2 - box.left;
    });
    const [from, to, middle] = [places(this.rows.source), places(this.rows.target), box.height / 2];
    for (const { path, s, t } of this.paths) {
      path.setAttribute("d", `M${from[s]} 0C${from[s]} ${middle} ${to[t]} ${middle} ${to[t]} ${box.height}`);
    }
  }
}
