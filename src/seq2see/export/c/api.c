//// api
static Slice written(Work *work, const Node *node, const Slices *after)
{
  Slices tokens = {NULL, 0, 0};
  for (size_t i = 0; i < after->count; i++) add_slice(work, &tokens, after->at[i].at, after->at[i].length);
  const size_t first = tokens.count;
  for (; node->before; node = node->before) {
    if (node->id == PAD || node->id == BOS || node->id == EOS || node->id == TARGET.step) continue;
    const Slice token = token_of(&TARGET, node->id);
    add_slice(work, &tokens, token.at, token.length);
  }
  for (size_t i = first, j = tokens.count; i + 1 < j; i++) {
    const Slice one = tokens.at[i];
    tokens.at[i] = tokens.at[--j];
    tokens.at[j] = one;
  }
  return TARGET.join(work, &TARGET, &tokens);
}

/* Answers, and their memory. */
typedef struct {
  seq2see_answers answers;
  Work work;
} Found;

/* A hypothesis as an answer. A token that moves on counts with the next one. */
static seq2see_answer answer_of(Work *result, const Node *node, Slice text, size_t S, double penalty)
{
  const int is_cut = !node->before || node->id != EOS;
  const size_t number = (size_t)(node->length - node->steps);
  int32_t *const ids = new_block(result, number + 1, sizeof(int32_t));
  double *const log_probs = new_block(result, number + 1, sizeof(double));
  float *const weights = HAS_WEIGHTS && number ? new_block(result, number * S + 1, sizeof(float)) : NULL;
  char *const own = new_block(result, text.length + 1, 1);
  seq2see_answer found = {own, node->total, node->score, !is_cut, number, ids, log_probs, weights};
  if (text.length) memcpy(own, text.at, text.length);
  own[text.length] = 0;
  if (penalty == 0.0) found.score = node->total / (node->length - node->steps > 1 ? node->length - node->steps : 1);
  double moved = 0.0;
  size_t left = number;
  for (; node->before; node = node->before) {
    if (node->id == TARGET.step) {
      if (left < number)
        log_probs[left] += node->log_prob;
      else
        moved += node->log_prob;
      continue;
    }
    left--;
    ids[left] = node->id;
    log_probs[left] = node->log_prob + moved;
    moved = 0.0;
    if (weights) memcpy(weights + left * S, node->weights, S * sizeof(float));
  }
  return found;
}

static void require(Work *work, int condition, int error)
{
  if (!condition) fail(work, error);
}

static void predict(Work *work, Work *result, const Prepared *prepared, const char *text, seq2see_options options,
                    seq2see_answers *found)
{
  const Slice given = {text, strlen(text)};
  State state;
  require(work, options.beam >= 0 && options.beam <= MAX_BEAM, SEQ2SEE_BAD_OPTION);
  const int beam = options.beam ? options.beam : 1;
  require(work, options.n_best >= 0 && options.n_best <= beam, SEQ2SEE_BAD_OPTION);
  const int n_best = options.n_best ? options.n_best : 1;
  require(work, options.length_penalty <= 1e6, SEQ2SEE_BAD_OPTION);
  const double usual = beam > 1 ? LENGTH_PENALTY : 0.0;
  const double own = options.length_penalty > 0.0 ? options.length_penalty : options.length_penalty < 0.0 ? 0.0 : usual;
  require(work, options.min_length >= 0 && options.min_length <= 1000000, SEQ2SEE_BAD_OPTION);
  require(work, options.max_length >= 0 && options.max_length <= 1000000, SEQ2SEE_BAD_OPTION);
  require(work, !options.max_length || options.min_length <= options.max_length, SEQ2SEE_BAD_OPTION);
  require(work, given.length <= MAX_BYTES, SEQ2SEE_TOO_LONG);
  for (size_t i = 0, length; i < given.length; i += length) {
    length = length_at(text + i, given.length - i);
    require(work, length > 0, SEQ2SEE_BAD_TEXT);
  }
  seq2see_answer *const answers = new_block(result, (size_t)n_best, sizeof(seq2see_answer));
  static const Slice nothing = {"", 0};
  found->answers = answers;
  found->count = 1;
  int blank = HAS_SOURCE;
  for (size_t i = 0, length; i < given.length && blank; i += length) blank = is_space(point_at(text + i, &length));
  if (blank) {
    require(work, SOURCE.num_units == 1, SEQ2SEE_BAD_TEXT);
    answers[0] = answer_of(result, &NONE, nothing, 0, 0.0);
    answers[0].finished = 1;
    return;
  }
  const Slices tokens = tokens_of(work, HAS_SOURCE ? &SOURCE : &TARGET, given);
  require(work, tokens.count <= LONGEST_INPUT, SEQ2SEE_TOO_LONG);
  require(work, !MAX_POSITIONS || tokens.count + 1 <= MAX_POSITIONS, SEQ2SEE_TOO_LONG);
  int32_t *const ids = new_block(result, tokens.count + 1, sizeof(int32_t));
  for (size_t i = 0; i < tokens.count; i++) {
    const Slice token = tokens.at[i];
    ids[i] = id_of(HAS_SOURCE ? &SOURCE : &TARGET, token);
    const int is_tab = token.length == 1 && token.at[0] == '\t'; /* an unknown one separates fields */
    require(work, !HAS_SOURCE || ids[i] != UNK || !is_tab, SEQ2SEE_BAD_TEXT);
  }
  ids[tokens.count] = EOS;
  const size_t S = HAS_SOURCE ? tokens.count + 1 : 0;
  const int prompt = HAS_SOURCE ? 0 : (int)tokens.count;
  if (HAS_SOURCE) {
    found->source = ids;
    found->num_source = S;
  }
  const int least = options.min_length ? options.min_length : HAS_SOURCE ? 2 : 1;
  Rules rules = {least, options.max_length ? options.max_length : MAX_LENGTH > least ? MAX_LENGTH : least, 0, 0};
  if (MAX_POSITIONS && rules.most > MAX_POSITIONS - prompt) rules.most = MAX_POSITIONS - prompt;
  answers[0] = answer_of(result, &NONE, nothing, 0, 0.0);
  answers[0].log_prob = answers[0].score = -INFINITY;
  if (rules.most < 1) return;
  if (rules.least > rules.most) rules.least = rules.most;
  rules.num_steps = TARGET.step < 0 ? 0 : (int)S - 1;
  rules.limit = rules.most + rules.num_steps;
  memset(&state, 0, sizeof(state));
  encode(work, prepared, &state, ids, S);
  static const int32_t same[] = {0};
  int32_t first = BOS;
  size_t P = 0;
  for (int i = 0; i < prompt; i++) {
    step(work, prepared, &state, &first, 1, S, P);
    keep(work, &state, same, 1, 1, S, P++);
    first = ids[i];
  }
  const Node *best[MAX_BEAM];
  const int all = n_best > 1 && TARGET.is_ambiguous;
  const int number = beam == 1 ? search_greedily(work, prepared, &state, first, S, P, &rules, best)
                               : search_beam(work, prepared, &state, first, S, P, &rules, beam, all ? beam : n_best, own,
                                             best);
  const Slices none = {NULL, 0, 0};
  int count = 0;
  for (int i = 0; i < number && count < n_best; i++) {
    const Slice answer = written(work, best[i], HAS_SOURCE ? &none : &tokens);
    int is_new = 1;
    for (int j = 0; j < count && TARGET.is_ambiguous; j++) {
      const Slice other = {answers[j].text, strlen(answers[j].text)};
      if (!compare(other, answer)) is_new = 0;
    }
    if (is_new) answers[count++] = answer_of(result, best[i], answer, S, own);
  }
  if (count) found->count = (size_t)count;
}

struct seq2see_model {
  Prepared prepared;
  Work work;
};

/* The functions with setjmp have nothing else, so that no variable may be lost. */
static int guarded_predict(const seq2see_model *model, const char *text, const seq2see_options *options, Found *found,
                           Work *work)
{
  if (setjmp(work->escape)) return work->error;
  if (setjmp(found->work.escape)) return SEQ2SEE_NO_MEMORY;
  predict(work, &found->work, &model->prepared, text, *options, &found->answers);
  return 0;
}

int seq2see_predict(const seq2see_model *model, const char *text, const seq2see_options *options,
                    seq2see_answers **answers)
{
  static const seq2see_options usual = {1, 1, 0.0, 0, 0};
  if (!answers) return SEQ2SEE_BAD_OPTION;
  *answers = NULL;
  if (!model || !text) return SEQ2SEE_BAD_OPTION;
  Found *const found = SEQ2SEE_MALLOC(sizeof(Found));
  if (!found) return SEQ2SEE_NO_MEMORY;
  Work work;
  memset(found, 0, sizeof(Found));
  memset(&work, 0, sizeof(Work));
  const int error = guarded_predict(model, text, options ? options : &usual, found, &work);
  end_work(&work);
  if (error)
    seq2see_free(&found->answers);
  else
    *answers = &found->answers;
  return error;
}

void seq2see_free(seq2see_answers *answers)
{
  if (!answers) return;
  Found *const found = (Found *)(void *)answers;
  end_work(&found->work);
  SEQ2SEE_FREE(found);
}

static int guarded_prepare(seq2see_model *model, const char *weights)
{
  if (setjmp(model->work.escape)) return model->work.error;
  prepare(&model->work, &model->prepared, weights_of(&model->work, weights));
  return 0;
}

int seq2see_open(const char *weights, seq2see_model **model)
{
  if (!model) return SEQ2SEE_BAD_OPTION;
  *model = NULL;
  seq2see_model *const own = SEQ2SEE_MALLOC(sizeof(seq2see_model));
  if (!own) return SEQ2SEE_NO_MEMORY;
  memset(own, 0, sizeof(seq2see_model));
  const int error = guarded_prepare(own, weights);
  if (error)
    seq2see_close(own);
  else
    *model = own;
  return error;
}

void seq2see_close(seq2see_model *model)
{
  if (!model) return;
  end_work(&model->work);
  SEQ2SEE_FREE(model);
}

/* Of seq2see_init. */
static seq2see_model *ready;

int seq2see_init(const char *weights)
{
  seq2see_model *model;
  const int error = seq2see_open(weights, &model);
  if (error) return error;
  seq2see_close(ready);
  ready = model;
  return 0;
}

int seq2see(const char *text, char *out, size_t room)
{
  seq2see_answers *answers = NULL;
  seq2see_model *own = NULL;
  int error = ready ? 0 : seq2see_open(NULL, &own);
  if (!error) error = seq2see_predict(ready ? ready : own, text, NULL, &answers);
  if (room && out) out[0] = 0;
  if (!error) {
    const size_t length = strlen(answers->answers[0].text);
    if (!out || length >= room || length > INT_MAX)
      error = SEQ2SEE_NO_ROOM;
    else
      memcpy(out, answers->answers[0].text, length + 1);
    if (!error) error = (int)length;
  }
  seq2see_free(answers);
  seq2see_close(own);
  return error;
}

const char *seq2see_source_token(int32_t id)
{
  const Codec *const codec = HAS_SOURCE ? &SOURCE : &TARGET;
  return id < 0 || id >= (int32_t)codec->count + SPECIALS ? NULL : token_of(codec, id).at;
}

const char *seq2see_token(int32_t id)
{
  return id < 0 || id >= (int32_t)TARGET.count + SPECIALS ? NULL : token_of(&TARGET, id).at;
}

