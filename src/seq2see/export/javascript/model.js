// A model: text in, predictions out.

function float16(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
  return bits >> 15 ? -size : size;
}

// The tensors of a safetensors file as 32-bit floats; int8 has one scale per row.
function readTensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const stored = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = offsets;
    const own = bytes.slice(start + begin, start + end).buffer;
    if (dtype === "F32") stored[name] = { data: new Float32Array(own), shape };
    else if (dtype === "F16") stored[name] = { data: Float32Array.from(new Uint16Array(own), float16), shape };
    else stored[name] = { data: new Int8Array(own), shape };
  }
  const tensors = {};
  for (const [name, { data, shape }] of Object.entries(stored)) {
    if (!(data instanceof Int8Array)) {
      tensors[name] = { data, shape };
      continue;
    }
    const scales = stored[`${name}.scale`].data;
    const width = data.length / shape[0];
    tensors[name] = { data: Float32Array.from(data, (step, i) => step * scales[Math.floor(i / width)]), shape };
  }
  return tensors;
}

const EMPTY = {
  text: "", sourceTokens: [], tokens: [], logProb: 0, score: 0, tokenLogProbs: [], weights: null, finished: true,
  alternatives: [],
};
const NOT_FOUND = { ...EMPTY, logProb: -Infinity, score: -Infinity, finished: false };

class Model {
  /** The model of what a page or a module holds. */
  static async of(values) {
    return new Model(values);
  }

  constructor({ programs, weights, source, target, maxLength, maxInput, maxPositions, lengthPenalty }) {
    this.network = new Network(programs, readTensors(fromBase64(weights)));
    this.source = source ? new Codec(source) : null;
    this.target = new Codec(target);
    this.limits = { maxLength, maxInput, maxPositions: maxPositions ?? Infinity };
    this.lengthPenalty = lengthPenalty;
  }

  /** The answer to a text; a language model continues it. See the type declarations for the options. */
  predict(text, { beam = 1, nBest = 1, lengthPenalty = beam > 1 ? this.lengthPenalty : 0, minLength = null, maxLength = null, ...others } = {}) {
    requireOptions(beam, 1000, nBest, lengthPenalty, minLength, maxLength, others);
    if (typeof text !== "string") throw new TypeError("text must be a string");
    const { source, target } = this;
    if (source && BLANK.test(text)) {
      if (source.hasFields) throw new RangeError("all fields are empty");
      return EMPTY;
    }
    if (source && !source.ids.has(FIELD_BREAK) && source.split(text).includes(FIELD_BREAK)) {
      throw new RangeError("the model reads one field, and the text has a TAB");
    }
    const read = (source || target).encode(text);
    const { maxInput, maxPositions } = this.limits;
    const longest = Math.min(maxInput, maxPositions - 1); // EOS has a position, too
    if (read.length > longest) throw new RangeError(`the text has ${read.length} tokens, and at most ${longest} are read`);

    const sourceIds = source ? [...read, EOS] : [];
    const prompt = source ? [] : read;
    const least = minLength ?? (source ? 2 : 1);
    const most = Math.min(maxLength ?? Math.max(this.limits.maxLength, least), maxPositions - prompt.length);
    if (most < 1) return NOT_FOUND;
    const step = target.step;
    const numSteps = step === null ? 0 : sourceIds.length - 1;
    const rules = { least: Math.min(least, most), most, step, numSteps, limit: most + numSteps };
    const found = this.search(sourceIds, prompt, rules, { beam, nBest, lengthPenalty });
    const sourceTokens = sourceIds.map((id) => source.token(id));
    const answers = found.map((each) => ({
      text: target.decode(each.ids, source ? "" : text),
      sourceTokens,
      tokens: each.ids.map((id) => target.token(id)),
      logProb: each.logProb,
      score: lengthPenalty ? each.score : each.logProb / Math.max(1, each.ids.length),
      tokenLogProbs: each.each,
      weights: each.weights.length ? each.weights.map((row) => Array.from(row)) : null,
      finished: each.finished,
      alternatives: [],
    }));
    if (!answers.length) return { ...NOT_FOUND, sourceTokens };
    return { ...answers[0], alternatives: answers.slice(1) };
  }

  search(sourceIds, prompt, rules, { beam, nBest, lengthPenalty }) {
    let state = this.network.start(sourceIds);
    let first = BOS;
    for (const id of prompt) {
      state = this.network.step([first], state).state;
      first = id;
    }
    if (beam === 1) return greedy(this.network, state, first, rules).map((each) => written(each, rules.step));
    const all = nBest > 1 && this.target.isAmbiguous;
    const width = { width: beam, number: all ? beam : nBest, penalty: lengthPenalty };
    const texts = new Set();
    return beamSearch(this.network, state, first, rules, width)
      .map((each) => written(each, rules.step))
      .filter(({ ids }) => {
        const text = this.target.isAmbiguous ? this.target.decode(ids) : texts.size;
        return !texts.has(text) && texts.add(text);
      })
      .slice(0, nBest);
  }
}
