// A beam search as a tree that unfolds step by step. Comes after answers.js. `steps` has a list for each step, most probable
// first, of { token, parent, logProb, score, fate }: see BeamCandidate. A column is a step; lines lead from what was kept to its
// continuations. Pointing at a hypothesis, or going there with the arrow keys, shows where it comes from.
const PAUSE = 900; // milliseconds between two steps while it plays
const FATES = {
  kept: "the next step continues it", finished: "it has ended, as one of the answers", pruned: "others are better",
  stopped: "it would have been kept, but the search was over",
};
const LISTED = 3; // of each fate, in the words about a step

class BeamTree {
  constructor(steps) {
    this.timer = 0;
    this.columns = this.nodesOf(steps);
    this.last = this.columns.length;
    this.button = make("button", { type: "button", className: "play" });
    this.button.addEventListener("click", () => this.play(!this.timer));
    this.slider = make("input", { type: "range", min: 1, max: this.last, value: this.last });
    this.slider.addEventListener("input", () => { this.play(false); this.show(Number(this.slider.value)); });
    this.words = make("p", { className: "step", role: "status" });
    this.readout = make("p", { className: "readout", ariaHidden: "true" });
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.ariaHidden = "true";
    this.lines.append(...this.columns.flat().flatMap(({ line }) => (line ? [line] : [])));
    const rows = this.columns.map((own, place) => make("div", { className: "column", role: "group", ariaLabel: `Step ${place + 1}` },
      ...own.map(({ element }) => element)));
    this.flow = make("div", { className: "columns", dir: directionOf(steps.flat().map(({ token }) => token)) }, this.lines, ...rows);
    this.flow.addEventListener("pointerleave", () => this.point(null));
    this.scroll = make("div", { className: "scroll" }, this.flow);
    const control = make("div", { className: "control" }, this.button, make("label", {}, make("span", { textContent: "Step" }), this.slider));
    this.element = make("div", { className: "beam" }, control, this.scroll, this.words, this.readout, this.legend());
    new ResizeObserver(() => this.draw()).observe(this.flow);
    this.play(false);
    this.show(this.last);
  }

  // The hypotheses of each step, in the order of those that they continue, so that no lines cross.
  nodesOf(steps) {
    let before = [];
    return steps.map((step, place) => {
      const nodes = step.map((each) => {
        const parent = each.parent === null ? null : before[each.parent];
        const label = labelsOf([each.token], true)[0], labels = [...(parent ? parent.labels : []), label];
        const node = { ...each, place, parent, labels, children: [], element: null, line: null };
        if (parent) { parent.children.push(node); node.line = document.createElementNS("http://www.w3.org/2000/svg", "path"); }
        node.element = this.chip(node, label);
        return node;
      });
      before = nodes;
      return nodes;
    }).map((nodes, place, all) => (place ? all[place - 1].flatMap(({ children }) => children) : nodes));
  }

  chip(node, label) {
    const share = percent(Math.exp(node.logProb));
    const ariaLabel = `${label} ${share}, ${this.describe(node)}`; // begins with what is seen, for those who speak it
    const button = make("button", { type: "button", className: node.fate, tabIndex: -1, ariaLabel },
      make("bdi", { textContent: label }), " ", make("span", { className: "share", dir: "ltr", textContent: share }));
    button.style.setProperty("--p", Math.exp(node.logProb).toFixed(4));
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.point(node));
    button.addEventListener("keydown", (event) => this.move(event, node));
    return button;
  }

  textOf({ labels }) {
    return isolated(labels.join(labels.some((label) => [...label].length > 2) ? " " : ""));
  }

  describe(node) {
    const score = Math.abs(node.score - node.logProb) > 1e-6 ? `, score ${node.score.toFixed(2)}` : "";
    const share = `probability ${percent(Math.exp(node.logProb))} (log ${node.logProb.toFixed(2)}${score})`;
    return `${this.textOf(node)}: ${share}; ${node.fate}: ${FATES[node.fate]}`;
  }

  legend() {
    const present = Object.keys(FATES).filter((fate) => this.columns.flat().some((node) => node.fate === fate));
    const steps = this.columns.flat().some(({ token }) => token === "<step>");
    const note = steps ? [make("li", {}, make("b", { textContent: "<step>" }), " the model moves on to the next source token")] : [];
    return make("ul", { className: "fates" }, ...note, ...present.map((fate) => make("li", {},
      make("span", { className: `swatch ${fate}`, ariaHidden: "true" }), make("b", { textContent: fate }), ` ${FATES[fate]}`)));
  }

  // Unfolds the tree up to a step, and says what was considered there.
  show(step) {
    this.step = step;
    this.slider.value = step;
    const columns = [...this.flow.children].slice(1);
    columns.forEach((column, place) => column.classList.toggle("later", place >= step)); // keeps its room: nothing jumps
    const own = this.columns[step - 1], sorted = [...own].sort((one, other) => other.logProb - one.logProb);
    const parts = Object.keys(FATES).flatMap((fate) => {
      const found = sorted.filter((node) => node.fate === fate);
      const named = found.slice(0, LISTED).map((node) => `${this.textOf(node)} ${percent(Math.exp(node.logProb))}`);
      const rest = found.length > LISTED ? `, and ${found.length - LISTED} more` : "";
      return found.length ? [`${found.length} ${fate} (${named.join(", ")}${rest})`] : [];
    });
    this.words.textContent = `Step ${step} of ${this.last}: ${parts.join("; ")}`;
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${this.last}`);
    for (const node of this.columns.flat()) node.element.tabIndex = node === sorted[0] ? 0 : -1;
    this.reveal(columns[step - 1]);
    this.point(null);
    this.draw();
  }

  // Scrolls no further than it takes to see a step.
  reveal(column) {
    const [view, own] = [this.scroll.getBoundingClientRect(), column.getBoundingClientRect()];
    if (own.right > view.right) this.scroll.scrollLeft += own.right - view.right + 4;
    else if (own.left < view.left) this.scroll.scrollLeft -= view.left - own.left + 4;
  }

  play(isOn) {
    clearInterval(this.timer);
    this.timer = 0;
    this.button.textContent = isOn ? "Pause" : "Play";
    if (!isOn) return;
    this.show(this.step < this.last ? this.step + 1 : 1);
    this.timer = setInterval(() => {
      if (this.element.isConnected && this.step < this.last) this.show(this.step + 1);
      if (!this.element.isConnected || this.step === this.last) this.play(false);
    }, PAUSE);
  }

  // The best of what has ended, once all is shown.
  best() {
    const ended = this.columns.flat().filter(({ fate }) => fate === "finished");
    const found = ended.length ? ended : this.columns[this.last - 1];
    return this.step === this.last ? found.reduce((one, other) => (other.score > one.score ? other : one)) : null;
  }

  point(node) {
    for (const each of this.columns.flat()) for (const own of [each.element, each.line]) if (own) own.classList.remove("here");
    for (let each = node || this.best(); each; each = each.parent) {
      for (const own of [each.element, each.line]) if (own) own.classList.add("here");
    }
    this.readout.textContent = node ? this.describe(node) : "";
  }

  // Along the search to what it comes from and what it became, and up and down within a step.
  move(event, node) {
    const column = this.columns[node.place], forward = this.flow.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const shown = node.place + 1 < this.step ? node.children : [];
    const kept = shown.find(({ fate }) => fate !== "pruned") || shown[0];
    const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight", place = column.indexOf(node);
    const next = { [forward]: kept, [back]: node.parent, ArrowUp: column[place - 1], ArrowDown: column[place + 1] }[event.key];
    if (!next) return;
    node.element.tabIndex = -1;
    next.element.tabIndex = 0;
    next.element.focus();
    event.preventDefault();
  }

  draw() {
    const box = this.lines.getBoundingClientRect(), isBack = this.flow.dir === "rtl";
    for (const { place, parent, element, line } of this.columns.slice(0, this.step).flat()) {
      if (!line) continue;
      const [from, to] = [parent.element.getBoundingClientRect(), element.getBoundingClientRect()];
      const [x, y] = [(isBack ? from.left : from.right) - box.left, from.top + from.height / 2 - box.top];
      const [u, v] = [(isBack ? to.right : to.left) - box.left, to.top + to.height / 2 - box.top];
      line.setAttribute("d", place < this.step ? `M${x} ${y}C${(x + u) / 2} ${y} ${(x + u) / 2} ${v} ${u} ${v}` : "");
    }
    for (const { line } of this.columns.slice(this.step).flat()) if (line) line.setAttribute("d", "");
    for (const { fate, line } of this.columns.flat()) if (line) line.classList.toggle("pruned", fate === "pruned");
  }
}
