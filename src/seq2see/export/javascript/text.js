// Texts to ids and back, as seq2see.text does it.

const [PAD, UNK, BOS, EOS] = [0, 1, 2, 3];
const SPECIALS = ["<pad>", "<unk>", "<bos>", "<eos>"];
const FIELD_BREAK = "\t";
const UNKNOWN_PENALTY = 10;
// White space as Python has it, which is not what \s is here.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]+`, "u");
const RUNS = new RegExp(`[^${SPACE}]+|[${SPACE}]+`, "gu");
const GROUP = "[([{][^()[\\]{};]*[)\\]}]";
const PIECE = `(?:${GROUP}|(?!${GROUP})[^;,|${SPACE}=])`;
const TAG = new RegExp(`${PIECE}*=(?:${PIECE}|=)*(?:,${PIECE}+(?!=|${PIECE}))*|${PIECE}+`, "gu");
const BLANK = new RegExp(`^[${SPACE}]*$`, "u");

// What subwords are made of: see seq2see.text.subwords.
const ESCAPE = "&(?:[A-Za-z]{2,8}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});|@[-,./]@";
const APOSTROPHE = "(?:['’]|&apos;|&#39;)";
const LETTERS = "\\p{L}[\\p{L}\\p{M}\\u200c\\u200d]*";
const WORD_SPACE = "\\t-\\r\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = new RegExp(
  `[${WORD_SPACE}]?(?:${APOSTROPHE}?${LETTERS}(?:${APOSTROPHE}${LETTERS})*` +
    `|\\p{N}[\\p{N}\\p{M}]*|${ESCAPE}|(?:(?!${ESCAPE})[^${WORD_SPACE}\\p{L}\\p{N}])+)|[${WORD_SPACE}]`,
  "gu",
);
const ATOM = new RegExp(`${ESCAPE}|[^]`, "gu");

const isSpace = (text) => text !== "" && BLANK.test(text);
const isAscii = (text) => /^[\x00-\x7f]*$/.test(text);

function normalForm(text, normalization, fold) {
  if (isAscii(text)) return fold ? text.toLowerCase() : text;
  if (/\p{Surrogate}/u.test(text)) throw new Error("the text has a lone surrogate: write the whole character");
  const form = normalization === "none" ? text : text.normalize(normalization);
  return fold ? normalForm(form.toLowerCase(), normalization, false) : form;
}

// Order by code points, as Python sorts.
function compare(one, other) {
  const [a, b] = [[...one], [...other]];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = a[i].codePointAt(0) - b[i].codePointAt(0);
    if (difference) return difference;
  }
  return a.length - b.length;
}

const BYTES = Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `<${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const BYTE_OF = new Map(BYTES.map((token, byte) => [token, byte]));

function joinedBytes(tokens) {
  const encoder = new TextEncoder();
  const bytes = tokens.flatMap((token) => (BYTE_OF.has(token) ? [BYTE_OF.get(token)] : [...encoder.encode(token)]));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function joinedWords(tokens) {
  let [text, afterWord] = ["", false];
  for (const token of tokens) {
    const isWord = !isSpace(token);
    text += (isWord && afterWord ? " " : "") + token;
    afterWord = isWord;
  }
  return text;
}

function splitWords(text) {
  const runs = text.match(RUNS) || [];
  return runs.filter((run, i) => run !== " " || i === 0 || i === runs.length - 1);
}

function bytePairs(merges) {
  const ranks = new Map(merges.map((merge, rank) => [merge, rank])); // of its two parts only the first may have a blank
  return (atoms) => {
    const symbols = [...atoms];
    for (;;) {
      let [best, at] = [Infinity, -1];
      for (let i = 0; i + 1 < symbols.length; i++) {
        const rank = ranks.get(`${symbols[i]} ${symbols[i + 1]}`);
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return symbols;
      symbols.splice(at, 2, symbols[at] + symbols[at + 1]);
    }
  };
}

function unigrams(pieces, scores) {
  const known = new Map(pieces.map((piece, i) => [piece, scores[i]]));
  const lengths = [...new Set([1, ...pieces.map((piece) => (piece.match(ATOM) || []).length)])].sort((a, b) => a - b);
  const unknown = scores.reduce((least, score) => Math.min(least, score), scores.length ? Infinity : 0) - UNKNOWN_PENALTY;
  return (atoms) => {
    const best = [0, ...atoms.map(() => -Infinity)];
    const begins = best.map(() => 0);
    for (let begin = 0; begin < atoms.length; begin++) {
      for (const length of lengths) {
        const end = begin + length;
        if (end > atoms.length) break;
        let score = known.get(atoms.slice(begin, end).join(""));
        if (score === undefined) {
          if (length > 1) continue;
          score = unknown;
        }
        if (best[begin] + score > best[end]) [best[end], begins[end]] = [best[begin] + score, begin];
      }
    }
    const found = [];
    for (let end = atoms.length; end; end = begins[end]) found.unshift(atoms.slice(begins[end], end).join(""));
    return found;
  };
}

function subwords(cut, normal) {
  return {
    split: (text) => {
      const whole = normal(text);
      const chunks = whole ? whole.split(" ").map((chunk) => ` ${chunk}`) : [];
      return chunks.flatMap((chunk) => (chunk.match(WORD) || []).flatMap((word) => cut(word.match(ATOM) || [])));
    },
    join: (tokens) => tokens.join("").replace(/^ /, ""),
  };
}

// A tokenizer: split(text) to tokens, join(tokens) to a text. Tags are in the order of `order`, then of the alphabet.
function makeTokenizer({ tokenizer, normalization, case: folding, ...more }, tokens, order = []) {
  const normal = (text) => normalForm(text, normalization, folding === "fold");
  const join = (parts) => parts.join("");
  switch (tokenizer) {
    case "characters":
      return { split: (text) => [...normal(text)], join };
    case "decomposed": {
      const form = normalization === "none" ? "NFC" : normalization;
      return {
        split: (text) => [...normalForm(text, form, folding === "fold").normalize("NFD")],
        join: (parts) => normalForm(join(parts), form, false),
      };
    }
    case "graphemes": {
      const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
      return { split: (text) => Array.from(segmenter.segment(normal(text)), ({ segment }) => segment), join };
    }
    case "words":
      return { split: (text) => splitWords(normal(text)), join: joinedWords };
    case "symbols":
      return { split: (text) => normal(text).split(SPACES).filter(Boolean), join: (parts) => parts.join(" ") };
    case "bytes":
      return { split: (text) => Array.from(new TextEncoder().encode(normal(text)), (byte) => BYTES[byte]), join: joinedBytes };
    case "tags": {
      const ranks = new Map(order.filter((token) => token.startsWith("<")).map((token, rank) => [token, rank]));
      const rank = (tag) => ranks.get(tag) ?? ranks.size;
      return {
        split: (text) => {
          const found = new Set(normal(text).match(TAG)?.map((tag) => `<${tag}>`));
          return [...found].sort((one, other) => rank(one) - rank(other) || compare(one, other));
        },
        join: (parts) => parts.map((token) => token.replace(/^<([^]*)>$/u, "$1")).join(";"),
      };
    }
    case "bpe":
      return subwords(bytePairs(more.merges), normal);
    case "unigram":
      return subwords(unigrams(tokens, more.scores), normal);
    case "fields": {
      const parts = more.fields.map((field) => makeTokenizer({ normalization, case: folding, ...field }, tokens, tokens));
      return {
        split: (text) => {
          const fields = text.split(FIELD_BREAK);
          if (fields.length !== parts.length) {
            throw new Error(`the source must have ${parts.length} fields separated by TAB, found ${fields.length}`);
          }
          return fields.flatMap((field, i) => [...(i ? [FIELD_BREAK] : []), ...parts[i].split(field)]);
        },
        join,
      };
    }
    default:
      throw new Error(`unknown tokenizer ${tokenizer}: export it again`);
  }
}

// The first tokens of a text, or of the longest of its fields.
function truncated(tokens, most, hasFields) {
  if (tokens.length <= most) return tokens;
  if (!hasFields) return tokens.slice(0, most);
  const fields = [[]];
  for (const token of tokens) {
    if (token === FIELD_BREAK) fields.push([]);
    else fields[fields.length - 1].push(token);
  }
  let share = Infinity;
  let rest = most;
  const lengths = fields.map((field) => field.length).sort((one, other) => one - other);
  for (const [i, length] of lengths.entries()) {
    const own = Math.floor(rest / (lengths.length - i));
    if (length > own) {
      share = own;
      break;
    }
    rest -= length;
  }
  return fields.flatMap((field, i) => [...(i ? [FIELD_BREAK] : []), ...field.slice(0, share)]);
}

class Codec {
  constructor(values) {
    this.tokens = values.tokens;
    this.tokenizer = makeTokenizer(values, values.tokens);
    this.ids = new Map(values.tokens.map((token, i) => [token, i + SPECIALS.length]));
    this.size = values.tokens.length + SPECIALS.length;
    // A transducer moves on to the next source token by the first token of its targets.
    this.truncate = values.truncate ?? Infinity;
    this.hasFields = values.tokenizer === "fields";
    this.step = values.alignment ? SPECIALS.length : null;
    this.isAmbiguous = this.step !== null || ["bpe", "unigram"].includes(values.tokenizer);
  }

  split(text) {
    return truncated(this.tokenizer.split(text), this.truncate, this.hasFields);
  }

  encode(text) {
    return this.split(text).map((token) => this.ids.get(token) ?? UNK);
  }

  token(id) {
    return id < SPECIALS.length ? SPECIALS[id] : this.tokens[id - SPECIALS.length];
  }

  decode(ids, after = "") {
    const end = ids.indexOf(EOS);
    const own = (end < 0 ? ids : ids.slice(0, end)).filter((id) => id !== PAD && id !== BOS && id !== this.step);
    return this.tokenizer.join([...(after ? this.tokenizer.split(after) : []), ...own.map((id) => this.token(id))]);
  }
}
