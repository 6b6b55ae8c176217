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

/* The end of what is in brackets from here on; the same place if nothing is. */
static size_t after_brackets(Slice text, size_t at)
{
  if (text.at[at] != '(' && text.at[at] != '[' && text.at[at] != '{') return at;
  for (size_t i = at + 1; i < text.length; i++) {
    const char c = text.at[i];
    if (c == ')' || c == ']' || c == '}') return i + 1;
    if (c == '(' || c == '[' || c == '{' || c == ';') break;
  }
  return at;
}

/* The end of what is between separators, and whether it has an =. */
static size_t piece_end(Slice text, size_t at, int *has_value)
{
  size_t length;
  while (at < text.length) {
    const size_t after = after_brackets(text, at);
    if (after > at) {
      at = after;
      continue;
    }
    const uint32_t c = point_at(text.at + at, &length);
    if (is_space(c) || c == ';' || c == ',' || c == '|') break;
    *has_value |= c == '=';
    at += length;
  }
  return at;
}

/* The end of a tag: a comma separates the values of a feature, but tags otherwise. */
static size_t tag_end(Slice text, size_t at)
{
  int has_value = 0, is_other = 0;
  size_t end = piece_end(text, at, &has_value);
  while (has_value && end + 1 < text.length && text.at[end] == ',') {
    const size_t next = piece_end(text, end + 1, &is_other);
    if (is_other || next == end + 1) break;
    end = next;
  }
  return end;
}

static void split_tags(Work *work, const Codec *codec, const Unit *unit, Slice text, Slices *to)
{
  const Slice own = normal(work, codec, text);
  const size_t first = to->count;
  size_t length;
  for (size_t i = 0, end; i < own.length; i = end) {
    end = tag_end(own, i);
    if (end == i) { /* a separator */
      point_at(own.at + i, &length);
      end += length;
      continue;
    }
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
    if (to->count - first > LONGEST_INPUT) fail(work, SEQ2SEE_TOO_LONG);
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

