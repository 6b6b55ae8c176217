//// subwords
enum { LETTER = 1, MARK, NUMBER };

/* Whether the byte is among these; zero never is. */
static int is_among(const char *these, char byte)
{
  while (*these && *these != byte) these++;
  return *these != 0;
}

/* The bytes of an escape that begins here, such as &apos; or @-@; 0 if none does. */
static size_t escape_at(Slice text, size_t i)
{
  const char *const at = text.at + i;
  const size_t left = text.length - i;
  size_t n = 1, most, least;
  if (left > 2 && at[0] == '@' && at[2] == '@' && is_among("-,./", at[1])) return 3;
  if (left < 3 || at[0] != '&') return 0;
  if (at[1] == '#' && (at[2] == 'x' || at[2] == 'X')) {
    for (n = 3; n < left && n < 9 && is_among("0123456789abcdefABCDEF", at[n]);) n++;
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
    if (to->count > 4 * (size_t)LONGEST_INPUT + 64) fail(work, SEQ2SEE_TOO_LONG);
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
/* When the merge of two neighbors was learned; -1 if none was. */
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

/* A merge that is possible, in a heap: the one learned first on top, of several the leftmost. */
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

