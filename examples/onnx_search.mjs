// Greedy and beam search over a model in ONNX, in Node.js with onnxruntime-node (in a browser: onnxruntime-web).
//
//     seq2see export runs/dates -o dates.onnx
//     npm install onnxruntime-node
//     node examples/onnx_search.mjs dates.onnx "september 27, 1994" 5
//
// The answers are those of `seq2see predict --beam 5`, for models with a source, except transducers, and any text unit.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [PAD, UNK, BOS, EOS] = [0, 1, 2, 3];
const integers = (values, shape) => new Tensor("int64", BigInt64Array.from(values, BigInt), shape);

// The rows of a tensor along an axis.
function take(tensor, rows, axis) {
  const inner = tensor.dims.slice(axis + 1).reduce((one, other) => one * other, 1);
  const [size, outer] = [tensor.dims[axis], tensor.dims.slice(0, axis).reduce((one, other) => one * other, 1)];
  const data = new tensor.data.constructor(outer * rows.length * inner);
  for (let o = 0; o < outer; o++) {
    rows.forEach((row, i) => data.set(tensor.data.subarray((o * size + row) * inner, (o * size + row + 1) * inner), (o * rows.length + i) * inner));
  }
  return new Tensor(tensor.type, data, tensor.dims.map((each, i) => (i === axis ? rows.length : each)));
}

export async function load(folder) {
  const values = JSON.parse(readFileSync(`${folder}/model.json`, "utf8"));
  const { BLANK, Codec } = await import(pathToFileURL(resolve(folder, "text.js")));
  const [encoder, step] = await Promise.all(["encoder", "step"].map((name) => InferenceSession.create(`${folder}/${name}.onnx`)));
  return { BLANK, values, encoder, step, source: new Codec(values.source), target: new Codec(values.target) };
}

// The best answers with their log-probabilities, best first; a beam of 1 is greedy search.
export async function search({ BLANK, values, encoder, step, source, target }, text, beam = 1) {
  // No pair of training had an empty source; of several fields one is filled.
  if (BLANK.test(text) && !source.hasFields) return [{ text: "", logProb: 0 }];
  const read = [...source.encode(text), EOS];
  const state = await encoder.run({ ids: integers(read, [1, read.length]), lengths: integers([read.length], [1]) });
  const divisor = (length) => (beam > 1 ? ((5 + length) / 6) ** values.lengthPenalty : 1); // Wu et al. 2016, eq. 14
  let [live, best] = [[{ ids: [BOS], logProb: 0 }], []];
  for (let length = 1; length <= values.maxLength; length++) {
    const ids = integers(live.map((each) => each.ids.at(-1)), [live.length]);
    const found = await step.run({ ...state, ids });
    const width = found.log_probs.dims[1];
    const candidates = live.flatMap((each, row) => Array.from(found.log_probs.data.subarray(row * width, (row + 1) * width), (logProb, id) =>
      ({ ids: [...each.ids, id], id, row, logProb: each.logProb + logProb, score: (each.logProb + logProb) / divisor(length) })));
    const first = candidates
      .filter(({ id }) => ![PAD, UNK, BOS].includes(id) && !(id === EOS && length === 1))
      .sort((one, other) => other.logProb - one.logProb)
      .slice(0, 2 * beam);
    const going = first.filter(({ id }) => id !== EOS);
    live = going.slice(0, beam);
    best.push(...first.slice(0, beam).filter(({ id }) => id === EOS));
    best = best.sort((one, other) => other.score - one.score).slice(0, beam);
    if (length === values.maxLength) best = [...best, ...going].slice(0, beam);
    if (best.length === beam && live[0].logProb / divisor(values.maxLength) <= best.at(-1).score) break;
    const rows = live.map(({ row }) => row);
    for (const [name, axis] of Object.entries(values.rows)) state[name] = take(found[name.replace("carry", "next")], rows, axis);
  }
  return best.map(({ ids, logProb }) => ({ text: target.decode(ids), logProb }));
}

if (process.argv[2]) {
  const answers = await search(await load(process.argv[2]), process.argv[3], Number(process.argv[4] ?? 1));
  for (const { text, logProb } of answers) console.log(`${logProb.toFixed(4)}\t${text}`);
}
