// Greedy and beam search for one sentence, as seq2see.search does it.

const NEVER = [PAD, UNK, BOS];

// ((5 + length) / 6) ** penalty: Wu et al. 2016, eq. 14.
const lengthDivisor = (length, penalty) => ((5 + length) / 6) ** penalty;

// Rules tokens out: -Infinity in a row of log-probabilities, given the ids so far.
function restrict(row, ids, { least, most, step, numSteps }) {
  for (const id of NEVER) row[id] = -Infinity;
  if (step === null) {
    if (ids.length + 1 < least) row[EOS] = -Infinity;
    return;
  }
  const steps = ids.filter((id) => id === step).length;
  const length = ids.length - steps + 1;
  row[steps < numSteps ? EOS : step] = -Infinity;
  if (length < least) row[EOS] = -Infinity;
  if (length >= most) row.forEach((_, id) => { if (id !== EOS && id !== step) row[id] = -Infinity; });
}

// The ids of the largest values, largest first, ties by lower id.
function largest(row, number) {
  const found = [];
  for (let id = 0; id < row.length; id++) {
    if (row[id] === -Infinity || (found.length === number && row[id] <= row[found[number - 1]])) continue;
    let at = found.length;
    while (at && row[found[at - 1]] < row[id]) at--;
    found.splice(at, 0, id);
    if (found.length > number) found.pop();
  }
  return found;
}

const NONE = { ids: [], each: [], weights: [], logProb: 0 };

function grown(hypothesis, id, logProb, weights) {
  return {
    ids: [...hypothesis.ids, id],
    each: [...hypothesis.each, logProb],
    weights: weights ? [...hypothesis.weights, weights] : [],
    logProb: hypothesis.logProb + logProb,
    finished: id === EOS,
  };
}

// The rows of a step's results.
function rowsOf(x, number) {
  const width = x.data.length / number;
  return Array.from({ length: number }, (_, row) => x.data.subarray(row * width, (row + 1) * width));
}

function greedy(network, state, first, rules) {
  let [hypothesis, id] = [NONE, first];
  while (hypothesis.ids.length < rules.limit) {
    const step = network.step([id], state);
    const row = step.logProbs.data;
    restrict(row, hypothesis.ids, rules);
    [id] = largest(row, 1);
    if (id === undefined) return [];
    hypothesis = grown(hypothesis, id, row[id], step.weights && step.weights.data);
    if (id === EOS) break;
    state = step.state;
  }
  return [{ ...hypothesis, score: hypothesis.logProb }];
}

function beamSearch(network, state, first, rules, { width, number, penalty }) {
  let [live, ids] = [[NONE], [first]];
  let best = [];
  const byScore = (one, other) => other.score - one.score;
  const largestDivisor = lengthDivisor(rules.limit - rules.numSteps, penalty);
  for (let length = 1; ; length++) {
    const step = network.step(ids, state);
    const logProbs = rowsOf(step.logProbs, live.length);
    const weights = step.weights ? rowsOf(step.weights, live.length) : [];
    const candidates = live.flatMap((hypothesis, row) => {
      restrict(logProbs[row], hypothesis.ids, rules);
      return largest(logProbs[row], 2 * width).map((id) => ({ id, row, total: hypothesis.logProb + logProbs[row][id] }));
    });
    candidates.sort((one, other) => other.total - one.total);
    candidates.length = Math.min(candidates.length, 2 * width);
    const divisor = lengthDivisor(Math.max(length - rules.numSteps, 1), penalty);
    const whole = candidates.map(({ id, row }) => {
      const found = grown(live[row], id, logProbs[row][id], weights[row]);
      return { ...found, row, score: found.logProb / divisor };
    });
    best = [...best, ...whole.slice(0, width).filter(({ finished }) => finished)].sort(byScore).slice(0, number);
    live = whole.filter(({ finished }) => !finished).slice(0, width);
    const most = live.reduce((found, { logProb }) => Math.max(found, logProb), -Infinity);
    const worst = best.length === number ? best[number - 1].score : -Infinity;
    if (length === rules.limit || most / largestDivisor <= worst) {
      const cut = length === rules.limit ? whole.filter(({ finished }) => !finished).sort(byScore) : [];
      return [...best, ...cut].slice(0, number);
    }
    ids = live.map((hypothesis) => hypothesis.ids[hypothesis.ids.length - 1]);
    state = network.select(step.state, live.map(({ row }) => row));
  }
}

// A transducer's hypothesis without its STEPs, whose log-probabilities are part of that of the next token.
function written(hypothesis, step) {
  if (step === null) return hypothesis;
  const kept = hypothesis.ids.flatMap((id, place) => (id === step ? [] : [place]));
  const sum = (from, to) => hypothesis.each.slice(from, to).reduce((total, each) => total + each, 0);
  return {
    ...hypothesis,
    ids: kept.map((place) => hypothesis.ids[place]),
    each: kept.map((place, i) => sum(i ? kept[i - 1] + 1 : 0, i === kept.length - 1 ? undefined : place + 1)),
    weights: hypothesis.weights.length ? kept.map((place) => hypothesis.weights[place]) : [],
  };
}
