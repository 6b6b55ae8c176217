// Programs of seq2see.program: lists of operations on arrays {data, shape}, in C order. It knows no layer.

const ARRAYS = { float: Float32Array, int: Int32Array, bool: Uint8Array };

// A size is a number, or a sum of products of named sizes: "B*K", "P+1".
function sizeOf(size, sizes) {
  if (typeof size === "number") return size;
  if (!(size in sizes)) {
    let total = 0;
    for (const term of size.split("+")) {
      let product = 1;
      for (const factor of term.split("*")) product *= factor in sizes ? sizes[factor] : Number(factor);
      total += product;
    }
    sizes[size] = total;
  }
  return sizes[size];
}

const shapeOf = (shape, sizes) => shape.map((size) => sizeOf(size, sizes));
const count = (shape) => shape.reduce((product, size) => product * size, 1);
const make = (dtype, shape) => ({ data: new ARRAYS[dtype](count(shape)), shape });

// The distance between neighbors along each axis; 0 along axes that are repeated to fill `shape`.
function strides(of, shape) {
  const found = new Array(shape.length).fill(0);
  for (let axis = of.length - 1, step = 1; axis >= 0; axis--) {
    if (of[axis] !== 1) found[axis + shape.length - of.length] = step;
    step *= of[axis];
  }
  return found;
}

// Call `each` with the offsets of all rows along the last axis: one offset into the result, one into each input.
function rows(shape, steps, each) {
  const axes = shape.length - 1;
  const at = new Array(Math.max(axes, 0)).fill(0);
  const offsets = steps.map(() => 0);
  const length = axes < 0 ? 1 : shape[axes];
  const total = count(shape);
  for (let out = 0; out < total; out += length) {
    each(out, length, offsets);
    for (let axis = axes - 1; axis >= 0; axis--) {
      const ends = ++at[axis] === shape[axis];
      for (let i = 0; i < steps.length; i++) {
        offsets[i] += ends ? -steps[i][axis] * (shape[axis] - 1) : steps[i][axis];
      }
      if (!ends) break;
      at[axis] = 0;
    }
  }
}

function binary(dtype, f) {
  return ([one, other], _, shape) => {
    const out = make(dtype || (one.data instanceof Float32Array ? "float" : "int"), shape);
    const [a, b, y] = [one.data, other.data, out.data];
    if (a.length === y.length && b.length === y.length) {
      for (let i = 0; i < y.length; i++) y[i] = f(a[i], b[i]);
      return out;
    }
    const steps = [strides(one.shape, shape), strides(other.shape, shape)];
    const last = shape.length - 1;
    const [stepA, stepB] = last < 0 ? [0, 0] : [steps[0][last], steps[1][last]];
    rows(shape, steps, (at, length, [i, j]) => {
      for (let n = 0; n < length; n++, i += stepA, j += stepB) y[at + n] = f(a[i], b[j]);
    });
    return out;
  };
}

function unary(f) {
  return ([x], _, shape) => {
    const out = make("float", shape);
    const [from, to] = [x.data, out.data];
    for (let i = 0; i < to.length; i++) to[i] = f(from[i]);
    return out;
  };
}

// Copy an array whose axes have these steps: slices, transposes, repeats.
function strided(x, start, steps, shape) {
  const data = new x.data.constructor(count(shape));
  const last = shape.length - 1;
  const step = last < 0 ? 0 : steps[last];
  rows(shape, [steps], (at, length, [offset]) => {
    let from = start + offset;
    if (step === 1) {
      for (let n = 0; n < length; n++) data[at + n] = x.data[from + n];
    } else {
      for (let n = 0; n < length; n++, from += step) data[at + n] = x.data[from];
    }
  });
  return { data, shape };
}

// The sizes before, along and behind an axis.
function around(shape, axis) {
  return [count(shape.slice(0, axis)), shape[axis], count(shape.slice(axis + 1))];
}

function reduction(first, f) {
  return ([x], { axis }, shape) => {
    const [outer, length, inner] = around(x.shape, axis);
    const out = { data: new x.data.constructor(outer * inner), shape };
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let found = first;
        for (let n = 0, at = o * length * inner + i; n < length; n++, at += inner) found = f(found, x.data[at]);
        out.data[o * inner + i] = found;
      }
    }
    return out;
  };
}

// rows [N I] times columns [I M], added up in double precision, four terms at a time: half the time.
function multiply(a, aAt, b, bAt, y, yAt, N, I, M, sums) {
  for (let n = 0; n < N; n++, aAt += I) {
    sums.fill(0);
    let [i, at] = [0, bAt];
    for (; i + 3 < I; i += 4, at += 4 * M) {
      const [p, q, r, s] = [a[aAt + i], a[aAt + i + 1], a[aAt + i + 2], a[aAt + i + 3]];
      for (let m = 0, k = at; m < M; m++, k++) sums[m] += p * b[k] + q * b[k + M] + r * b[k + 2 * M] + s * b[k + 3 * M];
    }
    for (; i < I; i++, at += M) for (let m = 0; m < M; m++) sums[m] += a[aAt + i] * b[at + m];
    for (let m = 0; m < M; m++) y[yAt + n * M + m] = sums[m];
  }
}

function matmul([one, other], _, shape) {
  const out = make("float", shape);
  const [N, I] = one.shape.slice(-2);
  const M = other.shape[other.shape.length - 1];
  const sums = new Float64Array(M);
  // The batch axes as rows of one element each.
  const batch = [...shape.slice(0, -2), 1];
  const steps = [one, other].map((x) => strides([...x.shape.slice(0, -2), 1], batch));
  rows(batch, steps, (at, _length, [i, j]) => {
    multiply(one.data, i * N * I, other.data, j * I * M, out.data, at * N * M, N, I, M, sums);
  });
  return out;
}

// An LSTM or a GRU over sequences: see seq2see.program.operations. The result has `lasts` rows after the states.
function recurrent(lasts, advance) {
  return ([gates, lengths, hidden], { reverse }, shape) => {
    const out = make("float", shape);
    const [sentences, padded, units] = shape;
    const length = padded - lasts;
    const sums = new Float64Array(4 * units);
    const products = new Float32Array(4 * units);
    for (let row = 0; row < sentences; row++) {
      const state = [new Float32Array(units), new Float32Array(units)];
      for (let step = 0; step < lengths.data[row]; step++) {
        const place = reverse ? lengths.data[row] - 1 - step : step;
        multiply(state[0], 0, hidden.data, 0, products, 0, 1, units, 4 * units, sums);
        const from = (row * length + place) * 4 * units;
        advance(gates.data.subarray(from, from + 4 * units), products, units, state);
        out.data.set(state[0], (row * padded + place) * units);
      }
      for (let n = 0; n < lasts; n++) out.data.set(state[n], (row * padded + length + n) * units);
    }
    return out;
  };
}

const opened = (x) => 0.5 * Math.tanh(x) + 0.5;

const lstm = recurrent(2, (gates, products, units, [h, c]) => {
  const sum = (at) => gates[at] + products[at];
  for (let n = 0; n < units; n++) {
    c[n] = opened(sum(n)) * Math.tanh(sum(3 * units + n)) + opened(sum(units + n)) * c[n];
    h[n] = opened(sum(2 * units + n)) * Math.tanh(c[n]);
  }
});

const gru = recurrent(1, (gates, products, units, [h]) => {
  const sum = (at) => gates[at] + products[at];
  for (let n = 0; n < units; n++) {
    const candidate = Math.tanh(sum(3 * units + n) + opened(sum(n)) * sum(2 * units + n));
    h[n] = candidate + opened(sum(units + n)) * (h[n] - candidate);
  }
});

function gather([table, ids], _, shape) {
  const out = { data: new table.data.constructor(count(shape)), shape };
  const width = count(table.shape.slice(1));
  for (let n = 0; n < ids.data.length; n++) {
    const id = ids.data[n];
    if (id < 0 || id >= table.shape[0]) throw new RangeError(`index ${id} of ${table.shape[0]}`);
    out.data.set(table.data.subarray(id * width, (id + 1) * width), n * width);
  }
  return out;
}

function concat(parts, { axis }, shape) {
  const out = { data: new parts[0].data.constructor(count(shape)), shape };
  const [outer, length, inner] = around(shape, axis);
  let begin = 0;
  for (const part of parts) {
    const own = part.shape[axis] * inner;
    for (let o = 0; o < outer; o++) {
      out.data.set(part.data.subarray(o * own, (o + 1) * own), o * length * inner + begin);
    }
    begin += own;
  }
  return out;
}

function where([condition, one, other], _, shape) {
  const out = { data: new one.data.constructor(count(shape)), shape };
  const [c, a, b] = [condition, one, other].map((x) => strided(x, 0, strides(x.shape, shape), shape).data);
  for (let i = 0; i < c.length; i++) out.data[i] = c[i] ? a[i] : b[i];
  return out;
}

function cumsum([x], { axis }, shape) {
  const out = { data: x.data.slice(), shape };
  const [outer, length, inner] = around(shape, axis);
  for (let o = 0; o < outer; o++) {
    for (let at = o * length * inner + inner; at < (o + 1) * length * inner; at++) out.data[at] += out.data[at - inner];
  }
  return out;
}

// One function per kind of operation: (inputs, attributes, shape, sizes) to the result.
const OPERATIONS = {
  constant: (_, { dtype, data }, shape) => ({ data: ARRAYS[dtype].from(data, Number), shape }),
  full: (_, { dtype, value }, shape) => {
    const out = make(dtype, shape);
    out.data.fill(Number(value));
    return out;
  },
  range: (_, { start }, shape, sizes) => {
    const first = sizeOf(start, sizes);
    return { data: Int32Array.from({ length: shape[0] }, (_each, n) => first + n), shape };
  },
  gather,
  slice: ([x], { starts }, shape, sizes) => {
    const steps = strides(x.shape, x.shape);
    return strided(x, starts.reduce((sum, start, axis) => sum + sizeOf(start, sizes) * steps[axis], 0), steps, shape);
  },
  reshape: ([x], _, shape) => ({ data: x.data, shape }),
  transpose: ([x], { axes }, shape) => {
    const steps = strides(x.shape, x.shape);
    return strided(x, 0, axes.map((axis) => steps[axis]), shape);
  },
  broadcast: ([x], _, shape) => strided(x, 0, strides(x.shape, shape), shape),
  concat,
  add: binary("", (a, b) => a + b),
  subtract: binary("", (a, b) => a - b),
  multiply: binary("", (a, b) => a * b),
  maximum: binary("", (a, b) => Math.max(a, b)),
  minimum: binary("", (a, b) => Math.min(a, b)),
  divide: binary("", (a, b) => a / b),
  floor_divide: binary("", (a, b) => Math.floor(a / b)),
  equal: binary("bool", (a, b) => a === b),
  less: binary("bool", (a, b) => a < b),
  tanh: unary(Math.tanh),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  where,
  cast: ([x], { dtype }, shape) => ({ data: ARRAYS[dtype].from(x.data), shape }),
  matmul,
  sum: reduction(0, (sum, x) => sum + x),
  max: reduction(-Infinity, (largest, x) => (x > largest ? x : largest)),
  cumsum,
  lstm,
  gru,
};

// The outputs of a program by name, for inputs by name and named sizes.
function run(program, given, sizes) {
  const known = { ...sizes };
  const values = program.inputs.map(([name]) => given[name]);
  for (const [kind, inputs, attributes, , shape] of program.operations) {
    const own = inputs.map((number) => values[number]);
    values.push(OPERATIONS[kind](own, attributes, shapeOf(shape, known), known));
  }
  return Object.fromEntries(program.outputs.map(([name, number]) => [name, values[number]]));
}

// The rows of an array along an axis, in the order of `chosen`.
function select(x, axis, chosen) {
  const [outer, length, inner] = around(x.shape, axis);
  const data = new x.data.constructor(outer * chosen.length * inner);
  chosen.forEach((row, n) => {
    for (let o = 0; o < outer; o++) {
      const from = (o * length + row) * inner;
      data.set(x.data.subarray(from, from + inner), (o * chosen.length + n) * inner);
    }
  });
  return { data, shape: x.shape.map((size, i) => (i === axis ? chosen.length : size)) };
}

// The network of one sentence: start, then steps of one id for each hypothesis.
class Network {
  constructor(programs, tensors) {
    for (const part of ["prepare", "encode", "step"]) {
      for (const [kind] of programs[part].operations) {
        if (!Object.hasOwn(OPERATIONS, kind)) throw new Error(`unknown operation ${kind}: export it again`);
      }
    }
    this.programs = programs;
    this.prepared = run(programs.prepare, tensors, {});
    const carries = programs.step.inputs.filter(([name]) => name.startsWith("carry."));
    this.axes = Object.fromEntries(carries.map(([name, , shape]) => [name, shape.indexOf("B*K")]));
  }

  start(ids) {
    const sizes = { B: 1, K: 1, S: ids.length, P: 0 };
    const given = {
      ...this.prepared,
      ids: { data: Int32Array.from(ids), shape: [1, ids.length] },
      lengths: { data: Int32Array.of(ids.length), shape: [1] },
    };
    const found = run(this.programs.encode, given, sizes);
    const carry = Object.fromEntries(Object.keys(this.axes).map((name) => [name, found[name]]));
    return { found, carry, sizes };
  }

  step(ids, { found, carry, sizes }) {
    const given = { ...this.prepared, ...found, ...carry, ids: { data: Int32Array.from(ids), shape: [ids.length] } };
    const { log_probs: logProbs, weights, ...after } = run(this.programs.step, given, { ...sizes, K: ids.length });
    return { logProbs, weights, state: { found, carry: after, sizes: { ...sizes, P: sizes.P + 1 } } };
  }

  select({ found, carry, sizes }, chosen) {
    const own = Object.entries(carry).map(([name, x]) => [name, select(x, this.axes[name], chosen)]);
    return { found, carry: Object.fromEntries(own), sizes };
  }
}
