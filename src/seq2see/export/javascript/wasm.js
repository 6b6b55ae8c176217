// A model of seq2see in WebAssembly: text in, predictions out, as the ES module of the same model gives them.

const ERRORS = {
  "-1": "there is not enough memory",
  "-3": "the text has more tokens than the model reads",
  "-4": "the text has another number of fields than the model, or all are empty",
};

class Model {
  constructor(compiled) {
    this.compiled = compiled;
    this.begin();
  }

  begin() {
    this.own = new WebAssembly.Instance(this.compiled).exports;
    if (this.own.start()) throw new Error(ERRORS["-1"]);
  }

  /** The answer to a text; a language model continues it. The options are those of the ES module. */
  predict(text, { beam = 1, nBest = 1, lengthPenalty = null, minLength = null, maxLength = null, ...others } = {}) {
    requireOptions(beam, 64, nBest, lengthPenalty, minLength, maxLength, others);
    if (typeof text !== "string") throw new TypeError("the text must be a string");
    if (text.includes("\0")) throw new RangeError("the text has a NUL character");
    const bytes = new TextEncoder().encode(text);
    const place = this.own.room(bytes.length + 1);
    if (!place) throw new RangeError("there is not enough memory for the text");
    const memory = new Uint8Array(this.own.memory.buffer);
    memory.set(bytes, place);
    memory[place + bytes.length] = 0;
    // In C 0 is the default, and a length penalty below 0 is none.
    const penalty = lengthPenalty === null ? 0 : lengthPenalty || -1;
    try {
      return this.read(this.own.predict(place, beam, nBest, penalty, minLength ?? 0, maxLength ?? 0));
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      const reason = ERRORS[this.own.error()];
      this.begin();
      throw reason ? new RangeError(reason) : error;
    }
  }

  /** The structures of C, with 4 bytes for an address or a size. */
  read(place) {
    const view = new DataView(this.own.memory.buffer);
    const word = (at) => view.getUint32(at, true);
    const string = (at) => {
      const bytes = new Uint8Array(this.own.memory.buffer, at);
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, bytes.indexOf(0)));
    };
    const each = (at, number, width, get) => Array.from({ length: number }, (_, i) => get(at + i * width));
    const float = (at) => view.getFloat32(at, true);
    const double = (at) => view.getFloat64(at, true);
    const [count, first, width, source] = [0, 4, 8, 12].map((offset) => word(place + offset));
    const sourceTokens = each(source, width, 4, (at) => string(this.own.source_token(word(at))));
    const [answer, ...alternatives] = each(first, count, 48, (at) => {
      const number = word(at + 28);
      const weights = word(at + 40);
      return {
        text: string(word(at)),
        sourceTokens,
        tokens: each(word(at + 32), number, 4, (token) => string(this.own.target_token(word(token)))),
        logProb: double(at + 8),
        score: double(at + 16),
        tokenLogProbs: each(word(at + 36), number, 8, double),
        weights: weights ? each(weights, number, 4 * width, (row) => each(row, width, 4, float)) : null,
        finished: word(at + 24) !== 0,
        alternatives: [],
      };
    });
    return { ...answer, alternatives };
  }
}
