//// search
/* A token of a hypothesis, with those before it. */
typedef struct Node Node;
struct Node {
  const Node *before;
  int32_t id;
  double log_prob, total, score;
  const float *weights;
  int length, steps; /* tokens, and those that move on to the next source token */
};

/* What a search must keep to. */
typedef struct {
  int least, most, num_steps, limit;
} Rules;

/* ((5 + length) / 6) ** penalty: Wu et al. 2016, eq. 14. */
static double length_divisor(int length, double penalty) { return pow((5.0 + length) / 6.0, penalty); }

/* Rule tokens out, given the hypothesis so far. */
static void restrict_row(float *row, const Node *node, const Rules *rules)
{
  const int32_t step = TARGET.step;
  row[PAD] = row[UNK] = row[BOS] = -INFINITY;
  if (step < 0) {
    if (node->length + 1 < rules->least) row[EOS] = -INFINITY;
    return;
  }
  const int length = node->length - node->steps + 1;
  row[node->steps < rules->num_steps ? EOS : step] = -INFINITY;
  if (length < rules->least) row[EOS] = -INFINITY;
  for (int32_t id = 0; length >= rules->most && id < VOCABULARY; id++)
    if (id != EOS && id != step) row[id] = -INFINITY;
}

/* The ids of the largest values, largest first, the lower of equal ones; the number of them. */
static int largest(const float *row, int number, int32_t *found)
{
  int count = 0;
  for (int32_t id = 0; id < VOCABULARY; id++) {
    if (!(row[id] > -INFINITY) || (count == number && row[id] <= row[found[number - 1]])) continue;
    int at = count < number ? count++ : number - 1;
    for (; at && row[found[at - 1]] < row[id]; at--) found[at] = found[at - 1];
    found[at] = id;
  }
  return count;
}

static Node *grown(Work *work, const Node *before, int32_t id, double log_prob, const float *weights, size_t S)
{
  Node *const node = new_block(work, 1, sizeof(Node));
  float *const own = weights ? new_block(work, S + 1, sizeof(float)) : NULL;
  if (own) memcpy(own, weights, S * sizeof(float));
  node->before = before;
  node->id = id;
  node->log_prob = log_prob;
  node->total = before->total + log_prob;
  node->score = node->total;
  node->weights = own;
  node->length = before->length + 1;
  node->steps = before->steps + (id == TARGET.step);
  return node;
}

/* A place in a list that is sorted, the largest first, behind equal ones; the list keeps `most`. */
static void insert(const Node **list, int *count, int most, const Node *node)
{
  int at = *count < most ? (*count)++ : most;
  for (; at && list[at - 1]->score < node->score; at--)
    if (at < most) list[at] = list[at - 1];
  if (at < most) list[at] = node;
}

static const Node NONE = {NULL, -1, 0.0, 0.0, 0.0, NULL, 0, 0};

static int search_greedily(Work *work, const Prepared *prepared, State *state, int32_t id, size_t S, size_t P,
                           const Rules *rules, const Node **best)
{
  static const int32_t same[] = {0};
  const Node *node = &NONE;
  while (node->length < rules->limit) {
    step(work, prepared, state, &id, 1, S, P);
    restrict_row(state->log_probs, node, rules);
    if (!largest(state->log_probs, 1, &id)) return 0;
    node = grown(work, node, id, (double)state->log_probs[id], state->weights, S);
    if (id == EOS) break;
    keep(work, state, same, 1, 1, S, P++);
  }
  best[0] = node;
  return 1;
}

/* Of a candidate for a beam its total as if it were a node, to be sorted, and its token. */
typedef struct {
  double total;
  int row;
  int32_t id;
} Candidate;

static int search_beam(Work *work, const Prepared *prepared, State *state, int32_t first, size_t S, size_t P,
                       const Rules *rules, int width, int number, double penalty, const Node **best)
{
  const double largest_divisor = length_divisor(rules->limit - rules->num_steps, penalty);
  const Node *live[MAX_BEAM] = {&NONE}, *cut[2 * MAX_BEAM];
  int32_t ids[MAX_BEAM] = {first}, rows[MAX_BEAM], found[2 * MAX_BEAM];
  Candidate candidates[2 * MAX_BEAM];
  int num_live = 1, num_best = 0;
  for (int length = 1;; length++) {
    int count = 0, num_cut = 0, seen = 0, kept = 0;
    const size_t K = (size_t)num_live;
    step(work, prepared, state, ids, K, S, P);
    for (int row = 0; row < num_live; row++) {
      float *const log_probs = state->log_probs + (size_t)row * VOCABULARY;
      restrict_row(log_probs, live[row], rules);
      const int some = largest(log_probs, 2 * width, found);
      for (int i = 0; i < some; i++) {
        const Candidate own = {live[row]->total + (double)log_probs[found[i]], row, found[i]};
        int at = count < 2 * width ? count++ : 2 * width;
        for (; at && candidates[at - 1].total < own.total; at--)
          if (at < 2 * width) candidates[at] = candidates[at - 1];
        if (at < 2 * width) candidates[at] = own;
      }
    }
    const int passed = length - rules->num_steps;
    const double divisor = length_divisor(passed > 1 ? passed : 1, penalty);
    const Node *next[MAX_BEAM];
    for (; seen < count; seen++) {
      const Candidate each = candidates[seen];
      const int is_finished = each.id == EOS;
      const int is_cut = !is_finished && length == rules->limit;
      if (!(is_finished && seen < width) && !is_cut && (is_finished || kept == width)) continue;
      const size_t row = (size_t)each.row;
      Node *const node = grown(work, live[row], each.id, (double)state->log_probs[row * VOCABULARY + (size_t)each.id],
                               state->weights ? state->weights + row * S : NULL, S);
      node->score = node->total / divisor;
      if (is_finished) insert(best, &num_best, number, node);
      if (is_cut) insert(cut, &num_cut, 2 * width, node);
      if (is_finished || kept == width) continue;
      next[kept] = node;
      ids[kept] = each.id;
      rows[kept++] = each.row;
    }
    const double worst = num_best == number ? best[number - 1]->score : -INFINITY;
    double most = -INFINITY;
    for (int i = 0; i < kept; i++) most = next[i]->total > most ? next[i]->total : most;
    if (length == rules->limit || most / largest_divisor <= worst) {
      for (int i = 0; i < num_cut && num_best < number; i++) best[num_best++] = cut[i];
      return num_best;
    }
    if (!kept) return num_best;
    keep(work, state, rows, (size_t)kept, K, S, P++);
    memcpy(live, next, (size_t)kept * sizeof(next[0]));
    num_live = kept;
  }
}

