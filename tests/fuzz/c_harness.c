/* What libFuzzer calls with bytes, for `scripts/fuzz-c`. The exported file stands where INCLUDED_MODEL names it.

   Of a model with its weights inside, the bytes are options and a text. With FUZZ_WEIGHTS they are the file of the weights,
   or with the first one odd a change of the right file, whose checksum is then taken as right. */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory of which the n-th piece can't be had, and whose pieces are counted. */
static long pieces, until_none = -1;

static void *counted_malloc(size_t bytes)
{
  if (until_none >= 0 && until_none-- == 0) return NULL;
  void *const found = malloc(bytes);
  if (found) pieces++;
  return found;
}

static void counted_free(void *at)
{
  if (at) pieces--;
  free(at);
}

static const unsigned char *file_bytes;
static size_t file_length;
static int is_forged;

static FILE *opened(const char *path, const char *mode)
{
  (void)path;
  /* A stream in memory is never empty: a byte that isn't the first of a file of weights stands for that. */
  return fmemopen(file_length ? (void *)(uintptr_t)file_bytes : (void *)(uintptr_t)"?", file_length ? file_length : 1, mode);
}

#define SEQ2SEE_MALLOC counted_malloc
#define SEQ2SEE_FREE counted_free
#define fopen opened
#include INCLUDED_MODEL

#define EXPECT(condition)                                                 \
  do {                                                                    \
    if (!(condition)) {                                                   \
      fprintf(stderr, "SUMMARY: broken rule at line %d: %s\n", __LINE__, #condition); \
      abort();                                                            \
    }                                                                     \
  } while (0)

static double seen;

static void expect_text(const char *text)
{
  const size_t length = strlen(text);
  for (size_t i = 0, width; i < length; i += width) {
    width = length_at(text + i, length - i);
    EXPECT(width > 0);
  }
}

/* Everything that an answer points to is read. */
static void read_all(const seq2see_answers *all, int n_best)
{
  EXPECT(all->count >= 1 && all->count <= (size_t)(n_best > 1 ? n_best : 1));
  for (size_t i = 0; i < all->num_source; i++) EXPECT(seq2see_source_token(all->source[i]) != NULL);
  for (size_t n = 0; n < all->count; n++) {
    const seq2see_answer *const each = &all->answers[n];
    expect_text(each->text);
    seen += each->log_prob + each->score + each->finished;
    for (size_t i = 0; i < each->num_tokens; i++) {
      EXPECT(seq2see_token(each->tokens[i]) != NULL);
      seen += each->token_log_probs[i];
      for (size_t j = 0; each->weights && j < all->num_source; j++) seen += (double)each->weights[i * all->num_source + j];
    }
  }
}

static seq2see_options options_of(const uint8_t *data)
{
  /* A length that is allowed and huge is left out, because it only takes long. */
  static const int beams[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 63, 64, 65, -1, INT_MAX, INT_MIN, 2};
  static const int lengths[] = {0, 0, 0, 1, 2, 3, 5, 7, 9, 12, 20, -1, 1000001, INT_MAX, INT_MIN, 4};
  static const double penalties[] = {0.0, 0.0, 0.7, 1.0, -1.0, 999999.0, 1e6, 1e300, 1e-300, INFINITY, -INFINITY, NAN};
  const seq2see_options found = {beams[data[0] % 16], beams[data[1] % 16], penalties[data[2] % 12],
                                 lengths[data[3] % 16], lengths[data[4] % 16]};
  return found;
}

static void predict_and_read(const seq2see_model *model, const char *text, const seq2see_options *options)
{
  seq2see_answers *answers = NULL;
  const int error = seq2see_predict(model, text, options, &answers);
  EXPECT(error <= 0 && (error == 0) == (answers != NULL));
  if (!error) read_all(answers, options->n_best);
  seq2see_free(answers);
}

static char *text_of_bytes(const uint8_t *data, size_t size)
{
  char *const text = malloc(size + 1); /* not a byte more, so that a read behind the text is noticed */
  if (size) memcpy(text, data, size);
  text[size] = 0;
  return text;
}

#ifndef FUZZ_WEIGHTS
static seq2see_model *model;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  EXPECT(seq2see_open(NULL, &model) == 0);
  return 0;
}

/* beam, n_best, length penalty, least and largest length, the piece of memory that is missing, the room for the answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 7) return 0;
  const long before = pieces;
  const seq2see_options options = options_of(data);
  const uint8_t missing = data[5], room = data[6];
  char *const text = text_of_bytes(data + 7, size - 7);
  if (missing & 1) until_none = (long)(missing >> 1) * (missing >> 1);
  if (room & 1) {
    char *const out = malloc(room >> 1 ? room >> 1 : 1);
    if (data[0] & 1) (void)seq2see_init(NULL);
    const int length = seq2see(text, out, room >> 1);
    seq2see_close(ready);
    ready = NULL;
    EXPECT(length < room >> 1 || length < 0);
    if (room >> 1) EXPECT((length < 0 ? 0 : (size_t)length) == strlen(out));
    free(out);
  } else {
    predict_and_read(model, text, &options);
  }
  until_none = -1;
  free(text);
  (void)seq2see_token((int32_t)(data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24));
  EXPECT(pieces == before);
  return 0;
}
#else
static unsigned char right[WEIGHTS_BYTES], changed[WEIGHTS_BYTES];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
#undef fopen
  FILE *const file = fopen(RIGHT_WEIGHTS, "rb");
  EXPECT(file && fread(right, 1, sizeof(right), file) == sizeof(right));
  fclose(file);
  file_bytes = right;
  file_length = sizeof(right);
  seq2see_model *model;
  EXPECT(seq2see_open("right", &model) == 0);
  seq2see_close(model);
  return 0;
}

/* How it is changed, where, the piece of memory that is missing, a beam; then bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 5) return 0;
  seq2see_model *model = NULL;
  is_forged = data[0] & 1;
  file_bytes = data + 5;
  file_length = size - 5;
  if (is_forged) {
    const size_t start = (size_t)(data[1] | data[2] << 8) % sizeof(changed);
    memcpy(changed, right, sizeof(changed));
    for (size_t i = 0; i < sizeof(changed) - start && size > 5; i++) {
      if (i >= size - 5 && !(data[0] & 2)) break; /* once, or again and again */
      changed[start + i] = data[5 + i % (size - 5)];
    }
    file_bytes = changed;
    file_length = sizeof(changed);
  }
  if (data[3] & 1) until_none = data[3] >> 1;
  const int error = seq2see_open("weights", &model);
  until_none = -1;
  EXPECT((error == 0) == (model != NULL));
  if (!error) {
    const uint8_t bytes[] = {data[4], data[4] >> 4, 0, 0, 0};
    const seq2see_options options = options_of(bytes);
    predict_and_read(model, "abcX\xc3\xa9", &options);
  }
  seq2see_close(model);
  EXPECT(pieces == 0);
  return 0;
}
#endif
