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

