// The page: boxes to type into, the answers, and where the model looked. Comes after elements.js and answers.js.

const $ = (id) => document.getElementById(id);
const inputs = all("textarea");
let send = null, isBusy = true, isWaiting = false, shown = "";

// Sends to a worker that is made of the script of the model, or to that script here where there can be no worker.
function connect() {
  try {
    const worker = new Worker(URL.createObjectURL(new Blob([$("runtime").textContent], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => receive(data);
    return (message) => worker.postMessage(message);
  } catch {
    const answer = answering(receive);
    return (message) => setTimeout(() => answer(message));
  }
}

// Asks for what is there now: one question at a time, and what is typed meanwhile only once.
function ask() {
  isWaiting = isBusy;
  if (isBusy) return;
  const isEmpty = !inputs.some(({ value }) => value.trim());
  if (isEmpty) return show([], "");
  isBusy = true;
  const beam = Number($("beam").value);
  send({ text: inputs.map(({ value }) => value).join("\t"), options: { beam, nBest: beam } });
  setTimeout(() => { if (isBusy) $("result").setAttribute("aria-busy", "true"); }, 150);
}

function receive({ answer, time, problem }) {
  isBusy = false;
  $("result").removeAttribute("aria-busy");
  document.body.classList.add("ready");
  const found = answer && answer.tokens.length ? [answer, ...answer.alternatives] : [];
  if (problem || answer) {
    show(found.map((each) => ({ ...each, logProbs: each.tokenLogProbs, source: each.sourceTokens })), problem || "");
    $("time").textContent = problem ? "" : `${time.toFixed(time < 10 ? 1 : 0)} ms`;
  }
  if (isWaiting || !(answer || problem)) ask();
}

function show(answers, problem) {
  $("problem").textContent = problem;
  $("rest").hidden = answers.length < 2;
  $("where").hidden = !answers.length;
  if (!answers.length) choose();
  $("answers").replaceChildren(...answerList(answers, choose));
}

function choose(answer) {
  $("answer").textContent = answer ? answer.text : "";
  $("answer").classList.toggle("cut", Boolean(answer && !answer.finished));
  $("share").textContent = answer ? percent(Math.exp(answer.logProb)) : "";
  if (!answer) return;
  $("bands").replaceChildren(new Bands(answer).element);
  $("heading").textContent = answer.weights ? "Where the model looked" : "Tokens and their probabilities";
}

for (const input of inputs) input.addEventListener("input", ask);
$("beam").addEventListener("change", ask);
for (const button of all("#examples button")) {
  button.addEventListener("click", () => {
    button.textContent.split("\t").forEach((text, place) => { if (inputs[place]) inputs[place].value = text; });
    ask();
  });
}
// The page is drawn before the model is made.
requestAnimationFrame(() => setTimeout(() => {
  send = connect();
  send({ json: $("model").textContent });
}));
