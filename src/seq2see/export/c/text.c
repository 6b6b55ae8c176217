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
  const uint32_t *pair_ranks;   /* when it was learned */
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
  size_t truncate;              /* tokens that longer texts are cut to; else 0 */
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

//// codecs
/* The first tokens of a text, or of the longest of its fields, whose lengths these are. */
static void truncate_to(Slices *tokens, size_t most, const size_t *lengths, size_t num_fields)
{
  size_t share = tokens->count, rest = most, left = num_fields, smaller = 0, at = 0, kept = 0;
  if (tokens->count <= most) return;
  while (left) { /* the fields from the shortest on: as many tokens as all that are left can have */
    size_t shortest = SIZE_MAX, same = 0;
    for (size_t n = 0; n < num_fields; n++)
      if (lengths[n] >= smaller && lengths[n] < shortest) shortest = lengths[n];
    for (size_t n = 0; n < num_fields; n++) same += lengths[n] == shortest;
    if (shortest > rest / left) {
      share = rest / left;
      break;
    }
    rest -= same * shortest;
    left -= same;
    smaller = shortest + 1;
  }
  for (size_t n = 0; n < num_fields; n++) {
    if (n) tokens->at[kept++] = tokens->at[at++]; /* the break */
    for (size_t i = 0; i < lengths[n]; i++, at++)
      if (i < share) tokens->at[kept++] = tokens->at[at];
  }
  tokens->count = kept;
}

/* The tokens of a text. */
static Slices tokens_of(Work *work, const Codec *codec, Slice text)
{
  static const char field_break[] = "\t";
  Slices found = {NULL, 0, 0};
  size_t *const lengths = new_block(work, codec->num_units, sizeof(size_t));
  for (size_t n = 0, start = 0; n < codec->num_units; n++) {
    size_t end = start;
    while (end < text.length && (codec->num_units == 1 || text.at[end] != '\t')) end++;
    if ((n + 1 == codec->num_units) != (end == text.length)) fail(work, SEQ2SEE_BAD_TEXT);
    const Slice field = {text.at + start, end - start};
    if (n) add_slice(work, &found, field_break, 1);
    const size_t before = found.count;
    codec->units[n].split(work, codec, &codec->units[n], field, &found);
    lengths[n] = found.count - before;
    start = end + 1;
  }
  if (codec->truncate) truncate_to(&found, codec->truncate, lengths, codec->num_units);
  return found;
}

