//// text
/* Text: UTF-8, or code points. */
typedef struct {
  const char *at;
  size_t length;
} Slice;

typedef struct {
  Slice *at;
  size_t count, room;
} Slices;

typedef struct {
  uint32_t *at;
  size_t count;
} Points;

typedef struct Codec Codec;
typedef struct Unit Unit;

/* How a text, or one of its fields, is cut, with the tables for that. */
struct Unit {
  void (*split)(Work *, const Codec *, const Unit *, Slice, Slices *);
  const unsigned char *pairs;   /* of merges: what they give, one after the other, sorted */
  const uint32_t *pair_ends;    /* where each ends */
  const uint32_t *pair_lefts;   /* the bytes of the left part */
  const uint32_t *pair_ranks;   /* when it was learnt */
  uint32_t num_pairs;
  const double *scores;         /* of the tokens, in their order */
  double unknown;               /* the score of an unknown character */
  const uint32_t *lengths;      /* of the pieces, in characters, ascending */
  uint32_t num_lengths;
  int is_ordered;               /* whether tags have the order of the vocabulary */
};

struct Codec {
  const unsigned char *tokens;  /* UTF-8, each with a final NUL */
  const uint32_t *ends;         /* where each ends, its NUL counted */
  const uint32_t *order;        /* the tokens sorted by their bytes */
  uint32_t count;
  int32_t step;                 /* of a transducer, the token that moves on; else -1 */
  int is_ambiguous;             /* whether several sequences of tokens are one text */
  int form;                     /* 0: none, 1: NFC, 2: NFD, 3: NFKC */
  int folds;                    /* whether all letters are lower-cased */
  const Unit *units;
  size_t num_units;
  Slice (*join)(Work *, const Codec *, const Slices *);
};

static int is_space(uint32_t c)
{
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* The bytes of the character that begins here; 0 if none does. */
static size_t length_at(const char *text, size_t left)
{
  const unsigned char *const u = (const unsigned char *)text;
  size_t length;
  if (!left) return 0;
  if (u[0] < 0x80) return 1;
  length = u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : u[0] >= 0xf0 && u[0] < 0xf5 ? 4 : 0;
  if (!length || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if (u[i] >> 6 != 2) return 0;
  if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
      (u[0] == 0xf4 && u[1] > 0x8f))
    return 0;
  return length;
}

/* The character that begins here, of text that is UTF-8, and the bytes of it. */
static uint32_t point_at(const char *text, size_t *length)
{
  const unsigned char *const u = (const unsigned char *)text;
  *length = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
  if (*length == 1) return u[0];
  if (*length == 2) return (u[0] & 31u) << 6 | (u[1] & 63u);
  if (*length == 3) return (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
  return (u[0] & 7u) << 18 | (u[1] & 63u) << 12 | (u[2] & 63u) << 6 | (u[3] & 63u);
}

static void add_slice(Work *work, Slices *to, const char *at, size_t length)
{
  if (to->count == to->room) {
    const size_t room = to->room ? 2 * to->room : 64;
    Slice *const more = new_block(work, room, sizeof(Slice));
    if (to->count) memcpy(more, to->at, to->count * sizeof(Slice));
    to->at = more;
    to->room = room;
  }
  to->at[to->count].at = at;
  to->at[to->count++].length = length;
}

static int compare(Slice one, Slice other)
{
  const size_t shorter = one.length < other.length ? one.length : other.length;
  const int found = shorter ? memcmp(one.at, other.at, shorter) : 0;
  return found ? found : (one.length > other.length) - (one.length < other.length);
}

static Slice own_token(const Codec *codec, uint32_t number)
{
  const uint32_t start = number ? codec->ends[number - 1] : 0;
  const Slice found = {(const char *)codec->tokens + start, codec->ends[number] - start - 1};
  return found;
}

static int32_t id_of(const Codec *codec, Slice token)
{
  uint32_t low = 0, high = codec->count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    const int order = compare(own_token(codec, codec->order[middle]), token);
    if (!order) return (int32_t)(codec->order[middle] + SPECIALS);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return UNK;
}

static Slice token_of(const Codec *codec, int32_t id)
{
  static const Slice specials[] = {{"<pad>", 5}, {"<unk>", 5}, {"<bos>", 5}, {"<eos>", 5}};
  return id < SPECIALS ? specials[id] : own_token(codec, (uint32_t)(id - SPECIALS));
}

//// points
static Points points_of(Work *work, Slice text)
{
  Points found = {new_block(work, text.length + 1, sizeof(uint32_t)), 0};
  size_t length;
  for (size_t i = 0; i < text.length; i += length) found.at[found.count++] = point_at(text.at + i, &length);
  return found;
}

static Slice text_of(Work *work, Points points)
{
  char *const at = new_block(work, 4 * points.count + 1, 1);
  Slice found = {at, 0};
  for (size_t i = 0; i < points.count; i++) {
    const uint32_t c = points.at[i];
    char *const to = at + found.length;
    if (c < 0x80) {
      to[0] = (char)c;
      found.length += 1;
    } else if (c < 0x800) {
      to[0] = (char)(0xc0 | c >> 6);
      to[1] = (char)(0x80 | (c & 63));
      found.length += 2;
    } else if (c < 0x10000) {
      to[0] = (char)(0xe0 | c >> 12);
      to[1] = (char)(0x80 | (c >> 6 & 63));
      to[2] = (char)(0x80 | (c & 63));
      found.length += 3;
    } else {
      to[0] = (char)(0xf0 | c >> 18);
      to[1] = (char)(0x80 | (c >> 12 & 63));
      to[2] = (char)(0x80 | (c >> 6 & 63));
      to[3] = (char)(0x80 | (c & 63));
      found.length += 4;
    }
  }
  return found;
}

//// ranges
/* The class of the range that has this character; 0 if none has. */
typedef struct {
  uint32_t first, last;
  int kind;
} Range;

static int kind_of(const Range *ranges, size_t count, uint32_t c)
{
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (ranges[middle].last < c)
      low = middle + 1;
    else if (ranges[middle].first > c)
      high = middle;
    else
      return ranges[middle].kind;
  }
  return 0;
}

//// mappings
/* Characters, each with those that stand for it; sorted. */
typedef struct {
  uint32_t from, start, count;
} Mapping;

static const Mapping *mapping_of(const Mapping *mappings, size_t count, uint32_t c)
{
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (mappings[middle].from == c) return &mappings[middle];
    if (mappings[middle].from < c)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

/* A text with other characters for some of its own. */
static Points mapped(Work *work, Points points, const Mapping *mappings, size_t count, const uint32_t *targets)
{
  size_t total = 0;
  for (size_t i = 0; i < points.count; i++) {
    const Mapping *const each = mapping_of(mappings, count, points.at[i]);
    total += each ? each->count : 1;
  }
  Points found = {new_block(work, total + 1, sizeof(uint32_t)), 0};
  for (size_t i = 0; i < points.count; i++) {
    const Mapping *const each = mapping_of(mappings, count, points.at[i]);
    if (!each) found.at[found.count++] = points.at[i];
    for (size_t j = 0; each && j < each->count; j++) found.at[found.count++] = targets[each->start + j];
  }
  return found;
}

//// decomposing
/* Unicode normal forms: characters decomposed, marks in the order of their classes. */
static Points decomposed(Work *work, Points given, const Mapping *mappings, size_t count, const uint32_t *targets)
{
  Points found = {new_block(work, 3 * given.count + 1, sizeof(uint32_t)), 0};
  for (size_t i = 0; i < given.count; i++) {
    const uint32_t syllable = given.at[i] - 0xac00u;
    if (syllable >= 11172) {
      found.at[found.count++] = given.at[i];
      continue;
    }
    found.at[found.count++] = 0x1100 + syllable / 588;
    found.at[found.count++] = 0x1161 + syllable % 588 / 28;
    if (syllable % 28) found.at[found.count++] = 0x11a7 + syllable % 28;
  }
  found = mapped(work, found, mappings, count, targets);
  uint32_t *const sorted = new_block(work, found.count + 1, sizeof(uint32_t));
  for (size_t i = 0, end; i < found.count; i = end) {
    int least = 255, most = 0, before = 0, in_order = 1;
    for (end = i; end < found.count; end++) {
      const int own = kind_of(MARKS, NUM_MARKS, found.at[end]);
      if (!own) break;
      if (own < before) in_order = 0;
      before = own;
      if (own < least) least = own;
      if (own > most) most = own;
    }
    if (end == i) {
      end++;
      continue;
    }
    if (in_order) continue;
    size_t n = 0;
    for (int kind = least; kind <= most; kind++)
      for (size_t j = i; j < end; j++)
        if (kind_of(MARKS, NUM_MARKS, found.at[j]) == kind) sorted[n++] = found.at[j];
    memcpy(found.at + i, sorted, n * sizeof(uint32_t));
  }
  return found;
}

//// composing
/* What two characters are together; 0 if nothing. */
static uint32_t composition_of(uint32_t first, uint32_t second)
{
  size_t low = 0, high = NUM_COMPOSITIONS;
  if (first - 0x1100u < 19 && second - 0x1161u < 21) return 0xac00 + (first - 0x1100) * 588 + (second - 0x1161) * 28;
  if (first - 0xac00u < 11172 && (first - 0xac00) % 28 == 0 && second - 0x11a8u < 27) return first + second - 0x11a7;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const Composition *const each = &COMPOSITIONS[middle];
    if (each->first == first && each->second == second) return each->both;
    if (each->first < first || (each->first == first && each->second < second))
      low = middle + 1;
    else
      high = middle;
  }
  return 0;
}

/* A decomposed text composed, in place. */
static Points composed(Points points)
{
  size_t count = 0, starter = 0;
  int has_starter = 0, before = 0;
  for (size_t i = 0; i < points.count; i++) {
    const uint32_t c = points.at[i];
    const int own = kind_of(MARKS, NUM_MARKS, c);
    if (has_starter && (before < own || !before)) {
      const uint32_t both = composition_of(points.at[starter], c);
      if (both) {
        points.at[starter] = both;
        continue;
      }
    }
    if (!own) {
      starter = count;
      has_starter = 1;
    }
    before = own;
    points.at[count++] = c;
  }
  points.count = count;
  return points;
}

//// lowering
/* Lower case, as Python has it. A capital sigma after a letter and not before one is a final one. */
static Points lowered(Work *work, Points points)
{
  for (size_t i = 0; i < points.count; i++) {
    if (points.at[i] != 0x3a3) continue;
    size_t j = i;
    int before = 0, after = 0;
    while (j > 0 && (before = kind_of(CASED, NUM_CASED, points.at[j - 1])) == 2) j--;
    if (j == 0) before = 0;
    for (j = i + 1; j < points.count && (after = kind_of(CASED, NUM_CASED, points.at[j])) == 2;) j++;
    if (j == points.count) after = 0;
    if (before == 1 && after != 1) points.at[i] = 0x3c2;
  }
  return mapped(work, points, LOWER, NUM_LOWER, LOWER_TARGETS);
}

//// join_plain
static Slice join_plain(Work *work, const Codec *codec, const Slices *tokens)
{
  size_t length = 0;
  for (size_t i = 0; i < tokens->count; i++) length += tokens->at[i].length;
  char *const at = new_block(work, length + 1, 1);
  Slice found = {at, 0};
  for (size_t i = 0; i < tokens->count; i++) {
    memcpy(at + found.length, tokens->at[i].at, tokens->at[i].length);
    found.length += tokens->at[i].length;
  }
  (void)codec;
  return found;
}

//// split_characters
static void split_characters(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  size_t length;
  const Slice own = normal(work, codec, text);
  for (size_t i = 0; i < own.length; i += length) {
    point_at(own.at + i, &length);
    add_slice(work, to, own.at + i, length);
  }
  (void)unit;
}

//// split_decomposed
static void split_decomposed(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  size_t length;
  const Points points = points_of(work, normal(work, codec, text));
  const Slice own = text_of(work, decomposed(work, points, CANONICAL, NUM_CANONICAL, CANONICAL_TARGETS));
  for (size_t i = 0; i < own.length; i += length) {
    point_at(own.at + i, &length);
    add_slice(work, to, own.at + i, length);
  }
  (void)unit;
}

//// join_decomposed
static Slice join_decomposed(Work *work, const Codec *codec, const Slices *tokens)
{
  Codec as_written = *codec;
  as_written.folds = 0;
  return normal(work, &as_written, join_plain(work, codec, tokens));
}

//// split_graphemes
/* Grapheme clusters, the rules GB3 to GB13 of Unicode's annex 29. Beside the kind of a character, 16: it is a consonant
   of an Indic script, 32: it joins consonants, 64: it may stand between them. */
enum {
  OTHER, CR, LF, CONTROL, EXTEND, ZWJ, REGIONAL, PREPEND, SPACING, LEADING, VOWEL, TRAILING, LV, LVT, PICTURE,
  CONSONANT = 16, LINKER = 32, BETWEEN = 64
};

static int grapheme_kind(uint32_t c)
{
  if (c - 0xac00u < 11172) return (c - 0xac00) % 28 ? LVT : LV;
  return kind_of(GRAPHEMES, NUM_GRAPHEMES, c);
}

static void split_graphemes(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  const Slice own = normal(work, codec, text);
  size_t length, start = 0;
  int before = -1, flags = 0, after_picture = 0, joined_picture = 0;
  /* Of a consonant and what may join it to the next: 1, or 2 once there was a linker. */
  int conjunct = 0;
  unsigned regionals = 0;
  for (size_t i = 0; i < own.length; i += length) {
    const int both = grapheme_kind(point_at(own.at + i, &length));
    const int kind = both & 15;
    flags = both & ~15;
    if (before >= 0) {
      const int joins =
          (before == CR && kind == LF) ||
          (!(before == CR || before == LF || before == CONTROL || kind == CR || kind == LF || kind == CONTROL) &&
           ((before == LEADING && (kind == LEADING || kind == VOWEL || kind == LV || kind == LVT)) ||
            ((before == LV || before == VOWEL) && (kind == VOWEL || kind == TRAILING)) ||
            ((before == LVT || before == TRAILING) && kind == TRAILING) || kind == EXTEND || kind == ZWJ ||
            kind == SPACING || before == PREPEND || (conjunct == 2 && flags & CONSONANT) ||
            (joined_picture && kind == PICTURE) || (before == REGIONAL && kind == REGIONAL && regionals % 2)));
      if (!joins) {
        add_slice(work, to, own.at + start, i - start);
        start = i;
      }
    }
    joined_picture = kind == ZWJ && after_picture;
    after_picture = kind == PICTURE || (kind == EXTEND && after_picture);
    conjunct = flags & CONSONANT ? 1 : flags & LINKER ? (conjunct ? 2 : 0) : flags & BETWEEN ? conjunct : 0;
    regionals = kind == REGIONAL ? regionals + 1 : 0;
    before = kind;
  }
  if (own.length) add_slice(work, to, own.at + start, own.length - start);
  (void)unit;
}

//// split_words
static void split_words(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  const Slice own = normal(work, codec, text);
  size_t length;
  for (size_t i = 0, end; i < own.length; i = end) {
    const int blank = is_space(point_at(own.at + i, &length));
    for (end = i + length; end < own.length && is_space(point_at(own.at + end, &length)) == blank;) end += length;
    if (!(end - i == 1 && own.at[i] == ' ') || i == 0 || end == own.length) add_slice(work, to, own.at + i, end - i);
  }
  (void)unit;
}

//// join_words
static int is_blank(Slice text)
{
  size_t length;
  for (size_t i = 0; i < text.length; i += length)
    if (!is_space(point_at(text.at + i, &length))) return 0;
  return text.length > 0;
}

static Slice join_words(Work *work, const Codec *codec, const Slices *tokens)
{
  static const char blank[] = " ";
  Slices parts = {NULL, 0, 0};
  int after_word = 0;
  for (size_t i = 0; i < tokens->count; i++) {
    const int is_word = !is_blank(tokens->at[i]);
    if (is_word && after_word) add_slice(work, &parts, blank, 1);
    add_slice(work, &parts, tokens->at[i].at, tokens->at[i].length);
    after_word = is_word;
  }
  return join_plain(work, codec, &parts);
}

//// split_symbols
static void split_symbols(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  const Slice own = normal(work, codec, text);
  size_t length;
  for (size_t i = 0, end; i < own.length; i = end) {
    const int blank = is_space(point_at(own.at + i, &length));
    for (end = i + length; end < own.length && is_space(point_at(own.at + end, &length)) == blank;) end += length;
    if (!blank) add_slice(work, to, own.at + i, end - i);
  }
  (void)unit;
}

//// join_symbols
static Slice join_symbols(Work *work, const Codec *codec, const Slices *tokens)
{
  static const char blank[] = " ";
  Slices parts = {NULL, 0, 0};
  for (size_t i = 0; i < tokens->count; i++) {
    if (i) add_slice(work, &parts, blank, 1);
    add_slice(work, &parts, tokens->at[i].at, tokens->at[i].length);
  }
  return join_plain(work, codec, &parts);
}

//// split_bytes
static void split_bytes(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  static const char digits[] = "0123456789ABCDEF";
  const Slice own = normal(work, codec, text);
  char *at = new_block(work, own.length + 1, 4);
  for (size_t i = 0; i < own.length; i++, at += 4) {
    const unsigned char byte = (unsigned char)own.at[i];
    if (byte >= 0x20 && byte <= 0x7e) {
      add_slice(work, to, own.at + i, 1);
      continue;
    }
    at[0] = '<';
    at[1] = digits[byte >> 4];
    at[2] = digits[byte & 15];
    at[3] = '>';
    add_slice(work, to, at, 4);
  }
  (void)unit;
}

//// join_bytes
static int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* Bytes that are no UTF-8 become U+FFFD, one for as many as begin a character. */
static Slice join_bytes(Work *work, const Codec *codec, const Slices *tokens)
{
  Slices bytes = {NULL, 0, 0};
  char *own = new_block(work, tokens->count + 1, 1);
  for (size_t i = 0; i < tokens->count; i++) {
    const Slice each = tokens->at[i];
    const int high = each.length == 4 && each.at[0] == '<' && each.at[3] == '>' ? digit_of(each.at[1]) : -1;
    const int low = high < 0 ? -1 : digit_of(each.at[2]);
    const int byte = 16 * high + low;
    if (low < 0 || (byte >= 0x20 && byte <= 0x7e)) {
      add_slice(work, &bytes, each.at, each.length);
      continue;
    }
    *own = (char)byte;
    add_slice(work, &bytes, own++, 1);
  }
  const Slice joined = join_plain(work, codec, &bytes);
  char *const at = new_block(work, 3 * joined.length + 1, 1);
  Slice found = {at, 0};
  for (size_t i = 0, length; i < joined.length; i += length) {
    length = length_at(joined.at + i, joined.length - i);
    if (length) {
      memcpy(at + found.length, joined.at + i, length);
      found.length += length;
      continue;
    }
    const unsigned char *const u = (const unsigned char *)joined.at + i;
    const size_t left = joined.length - i;
    const size_t whole = u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : u[0] >= 0xf0 && u[0] < 0xf5 ? 4 : 1;
    const unsigned char least = u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : 0xbf;
    length = 1;
    if (whole > 1 && left > 1 && u[1] >= least && u[1] <= most)
      for (length = 2; length < whole && length < left && u[length] >> 6 == 2;) length++;
    memcpy(at + found.length, "\357\277\275", 3);
    found.length += 3;
  }
  return found;
}

//// split_tags
/* Where a tag is in the order of the vocabulary; of others the tags' number. */
static int32_t tag_rank(const Codec *codec, const Unit *unit, Slice tag)
{
  const int32_t id = unit->is_ordered ? id_of(codec, tag) : UNK;
  return id == UNK ? INT32_MAX : id;
}

static void split_tags(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  const Slice own = normal(work, codec, text);
  const size_t first = to->count;
  size_t length;
  for (size_t i = 0, end; i < own.length; i = end) {
    uint32_t c = point_at(own.at + i, &length);
    const int between = is_space(c) || c == ';' || c == ',' || c == '|';
    for (end = i + length; end < own.length; end += length) {
      c = point_at(own.at + end, &length);
      if ((is_space(c) || c == ';' || c == ',' || c == '|') != between) break;
    }
    if (between) continue;
    char *const at = new_block(work, end - i + 2, 1);
    at[0] = '<';
    memcpy(at + 1, own.at + i, end - i);
    at[end - i + 1] = '>';
    const Slice tag = {at, end - i + 2};
    const int32_t rank = tag_rank(codec, unit, tag);
    size_t low = first, high = to->count;
    int order = 1;
    while (low < high && order) {
      const size_t middle = low + (high - low) / 2;
      const int32_t other = tag_rank(codec, unit, to->at[middle]);
      order = rank != other ? (rank > other) - (rank < other) : compare(tag, to->at[middle]);
      if (order > 0)
        low = middle + 1;
      else
        high = middle;
    }
    if (!order) continue;
    if (to->count - first > MAX_INPUT) fail(work, SEQ2SEE_TOO_LONG);
    add_slice(work, to, tag.at, tag.length);
    memmove(to->at + low + 1, to->at + low, (to->count - 1 - low) * sizeof(Slice));
    to->at[low] = tag;
  }
}

//// join_tags
static Slice join_tags(Work *work, const Codec *codec, const Slices *tokens)
{
  static const char semicolon[] = ";";
  Slices parts = {NULL, 0, 0};
  for (size_t i = 0; i < tokens->count; i++) {
    const Slice each = tokens->at[i];
    const int is_tag = each.length > 1 && each.at[0] == '<' && each.at[each.length - 1] == '>';
    if (i) add_slice(work, &parts, semicolon, 1);
    if (is_tag)
      add_slice(work, &parts, each.at + 1, each.length - 2);
    else
      add_slice(work, &parts, each.at, each.length);
  }
  return join_plain(work, codec, &parts);
}

//// subwords
enum { LETTER = 1, MARK, NUMBER };

/* The bytes of an escape that begins here, such as &apos; or @-@; 0 if none does. */
static size_t escape_at(Slice text, size_t i)
{
  const char *const at = text.at + i;
  const size_t left = text.length - i;
  size_t n = 1, most, least;
  if (left > 2 && at[0] == '@' && at[2] == '@' && strchr("-,./", at[1]) && at[1]) return 3;
  if (left < 3 || at[0] != '&') return 0;
  if (at[1] == '#' && (at[2] == 'x' || at[2] == 'X')) {
    for (n = 3; n < left && n < 9 && at[n] && strchr("0123456789abcdefABCDEF", at[n]);) n++;
    least = 4, most = 9;
  } else if (at[1] == '#') {
    for (n = 2; n < left && n < 9 && at[n] >= '0' && at[n] <= '9';) n++;
    least = 3, most = 9;
  } else {
    for (; n < left && n < 9 && ((at[n] >= 'a' && at[n] <= 'z') || (at[n] >= 'A' && at[n] <= 'Z'));) n++;
    least = 3, most = 9;
  }
  return n >= least && n <= most && n < left && at[n] == ';' ? n + 1 : 0;
}

static size_t apostrophe_at(Slice text, size_t i)
{
  static const char *const all[] = {"'", "\342\200\231", "&apos;", "&#39;"};
  for (size_t n = 0; n < 4; n++) {
    const size_t length = strlen(all[n]);
    if (text.length - i >= length && !memcmp(text.at + i, all[n], length)) return length;
  }
  return 0;
}

/* The end of letters with their marks that begin here; the same place if none do. */
static size_t after_letters(Slice text, size_t i, int first, int joiners)
{
  size_t length, begin = i;
  while (i < text.length) {
    const uint32_t c = point_at(text.at + i, &length);
    const int kind = kind_of(LETTERS, NUM_LETTERS, c);
    if (kind != first && (i == begin || !(kind == MARK || (joiners && (c == 0x200c || c == 0x200d))))) break;
    i += length;
  }
  return i;
}

static int is_word_space(uint32_t c) { return is_space(c) && !(c >= 0x1c && c <= 0x1f); }

/* The end of the word that begins here, with the white space before it. */
static size_t after_word(Slice text, size_t i)
{
  size_t length, begin = i, end;
  if (is_word_space(point_at(text.at + i, &length))) begin += length;
  if (begin == text.length) return begin;
  end = after_letters(text, begin + apostrophe_at(text, begin), LETTER, 1);
  if (end > begin + apostrophe_at(text, begin)) {
    for (;;) {
      const size_t letters = end < text.length ? end + apostrophe_at(text, end) : end;
      const size_t more = letters > end ? after_letters(text, letters, LETTER, 1) : letters;
      if (letters == end || more == letters) return end;
      end = more;
    }
  }
  end = after_letters(text, begin, NUMBER, 0);
  if (end > begin) return end;
  if (escape_at(text, begin)) return begin + escape_at(text, begin);
  while (end < text.length && !escape_at(text, end)) {
    const uint32_t c = point_at(text.at + end, &length);
    const int kind = kind_of(LETTERS, NUM_LETTERS, c);
    if (is_word_space(c) || kind == LETTER || kind == NUMBER) break;
    end += length;
  }
  return end > i ? end : i + length;
}

typedef void Cut(Work *, const Codec *, const Unit *, Slice, Slices *);

static void split_subwords(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to, Cut *cut)
{
  static const char blank[] = " ";
  const Slice own = normal(work, codec, text);
  if (!own.length) return;
  const Slice parts[] = {{blank, 1}, own};
  const Slices both = {(Slice *)parts, 2, 2};
  const Slice all = join_plain(work, codec, &both);
  for (size_t i = 0, end; i < all.length; i = end) {
    for (end = i + 1; end < all.length && all.at[end] != ' ';) end++;
    const Slice chunk = {all.at + i, end - i};
    Slices atoms = {NULL, 0, 0};
    for (size_t at = 0, next; at < chunk.length; at = next) {
      next = after_word(chunk, at);
      atoms.count = 0;
      for (size_t n = at, length; n < next; n += length) {
        const Slice word = {chunk.at, next};
        length = escape_at(word, n);
        if (!length) point_at(chunk.at + n, &length);
        add_slice(work, &atoms, chunk.at + n, length);
      }
      const Slice word = {(const char *)atoms.at, atoms.count};
      cut(work, codec, unit, word, to);
    }
    if (to->count > 4 * (size_t)MAX_INPUT + 64) fail(work, SEQ2SEE_TOO_LONG);
  }
}

//// join_subwords
static Slice join_subwords(Work *work, const Codec *codec, const Slices *tokens)
{
  Slice found = join_plain(work, codec, tokens);
  if (found.length && found.at[0] == ' ') {
    found.at++;
    found.length--;
  }
  return found;
}

//// split_bpe
/* When the merge of two neighbours was learnt; -1 if none was. */
static int32_t pair_rank(const Unit *unit, Slice left, Slice right)
{
  const Slice both = {left.at, left.length + right.length};
  uint32_t low = 0, high = unit->num_pairs;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2, start = middle ? unit->pair_ends[middle - 1] : 0;
    const Slice own = {(const char *)unit->pairs + start, unit->pair_ends[middle] - start};
    int order = compare(own, both);
    if (!order) order = (unit->pair_lefts[middle] > left.length) - (unit->pair_lefts[middle] < left.length);
    if (!order) return (int32_t)unit->pair_ranks[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

/* A merge that is possible, in a heap: the one learnt first on top, of several the leftmost. */
typedef struct {
  int32_t rank;
  size_t at;
} Merge;

static int is_before(Merge one, Merge other)
{
  return one.rank < other.rank || (one.rank == other.rank && one.at < other.at);
}

static void push(Merge *heap, size_t *count, Merge merge)
{
  size_t i = (*count)++;
  for (; i && is_before(merge, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
  heap[i] = merge;
}

static Merge pop(Merge *heap, size_t *count)
{
  const Merge first = heap[0], last = heap[--*count];
  size_t i = 0;
  for (;;) {
    size_t next = 2 * i + 1;
    if (next >= *count) break;
    if (next + 1 < *count && is_before(heap[next + 1], heap[next])) next++;
    if (!is_before(heap[next], last)) break;
    heap[i] = heap[next];
    i = next;
  }
  heap[i] = last;
  return first;
}

static void cut_bpe(Work *work, const Codec *codec, const Unit *unit, Slice given, Slices *to)
{
  Slice *const symbols = (Slice *)given.at;
  const size_t count = given.length;
  size_t *const next = new_block(work, 2 * count + 1, sizeof(size_t)), *const before = next + count;
  Merge *const heap = new_block(work, 3 * count + 1, sizeof(Merge));
  size_t waiting = 0;
  for (size_t i = 0; i < count; i++) {
    next[i] = i + 1;
    before[i] = i - 1;
    const Merge merge = {i + 1 < count ? pair_rank(unit, symbols[i], symbols[i + 1]) : -1, i};
    if (merge.rank >= 0) push(heap, &waiting, merge);
  }
  while (waiting) {
    const Merge merge = pop(heap, &waiting);
    const size_t i = merge.at, after = next[i];
    if (!symbols[i].length || after >= count || pair_rank(unit, symbols[i], symbols[after]) != merge.rank) continue;
    symbols[i].length += symbols[after].length;
    symbols[after].length = 0;
    next[i] = next[after];
    if (next[i] < count) before[next[i]] = i;
    const Merge left = {i ? pair_rank(unit, symbols[before[i]], symbols[i]) : -1, i ? before[i] : 0};
    const Merge right = {next[i] < count ? pair_rank(unit, symbols[i], symbols[next[i]]) : -1, i};
    if (left.rank >= 0) push(heap, &waiting, left);
    if (right.rank >= 0) push(heap, &waiting, right);
  }
  for (size_t i = 0; i < count; i = next[i]) add_slice(work, to, symbols[i].at, symbols[i].length);
  (void)codec;
}

static void split_bpe(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  split_subwords(work, codec, unit, text, to, cut_bpe);
}

//// split_unigram
static void cut_unigram(Work *work, const Codec *codec, const Unit *unit, Slice given, Slices *to)
{
  const Slice *const atoms = (const Slice *)given.at;
  const size_t count = given.length, first = to->count;
  double *const best = new_block(work, count + 1, sizeof(double));
  size_t *const begins = new_block(work, count + 1, sizeof(size_t));
  for (size_t i = 0; i <= count; i++) {
    best[i] = i ? -INFINITY : 0.0;
    begins[i] = 0;
  }
  for (size_t begin = 0; begin < count; begin++)
    for (uint32_t n = 0; n < unit->num_lengths && begin + unit->lengths[n] <= count; n++) {
      const size_t end = begin + unit->lengths[n];
      const Slice piece = {atoms[begin].at, (size_t)(atoms[end - 1].at - atoms[begin].at) + atoms[end - 1].length};
      const int32_t id = id_of(codec, piece);
      if (id == UNK && end > begin + 1) continue;
      const double score = id == UNK ? unit->unknown : unit->scores[id - SPECIALS];
      if (best[begin] + score > best[end]) {
        best[end] = best[begin] + score;
        begins[end] = begin;
      }
    }
  for (size_t end = count; end; end = begins[end]) {
    const Slice last = atoms[end - 1], start = atoms[begins[end]];
    add_slice(work, to, start.at, (size_t)(last.at - start.at) + last.length);
  }
  for (size_t i = first, j = to->count; i + 1 < j; i++) {
    const Slice one = to->at[i];
    to->at[i] = to->at[--j];
    to->at[j] = one;
  }
}

static void split_unigram(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  split_subwords(work, codec, unit, text, to, cut_unigram);
}

//// codecs
/* The tokens of a text. */
static Slices tokens_of(Work *work, const Codec *codec, Slice text)
{
  static const char field_break[] = "\t";
  Slices found = {NULL, 0, 0};
  for (size_t n = 0, start = 0; n < codec->num_units; n++) {
    size_t end = start;
    while (end < text.length && (codec->num_units == 1 || text.at[end] != '\t')) end++;
    if ((n + 1 == codec->num_units) != (end == text.length)) fail(work, SEQ2SEE_BAD_TEXT);
    const Slice field = {text.at + start, end - start};
    if (n) add_slice(work, &found, field_break, 1);
    codec->units[n].split(work, codec, &codec->units[n], field, &found);
    start = end + 1;
  }
  return found;
}

