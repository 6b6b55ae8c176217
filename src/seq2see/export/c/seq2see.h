#ifndef SEQ2SEE_H
#define SEQ2SEE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Errors; all are below 0. */
enum {
  SEQ2SEE_NO_MEMORY = -1,  /* malloc failed, or more would be needed than fits an address */
  SEQ2SEE_NO_ROOM = -2,    /* the answer and its final NUL don't fit */
  SEQ2SEE_TOO_LONG = -3,   /* the text has more tokens than the model reads, or more than 2**20 bytes */
  SEQ2SEE_BAD_TEXT = -4,   /* the text is no UTF-8, or has another number of fields than the model, or all
                              are empty */
  SEQ2SEE_BAD_OPTION = -5, /* an option is out of range */
  SEQ2SEE_BAD_MODEL = -6,  /* a weight or an index is out of range: the file was changed */
  SEQ2SEE_NO_WEIGHTS = -7, /* the file of the weights can't be read, or none was given */
  SEQ2SEE_BAD_WEIGHTS = -8 /* it is not the file of this model, or was cut or changed, or the machine isn't
                              little-endian */
};

/* How an answer is searched for. Of options that are 0, the default is used: greedy search. */
typedef struct {
  int beam;              /* hypotheses kept, 1 to 64; by default 1, greedy search */
  int n_best;            /* answers, at most `beam`; by default 1 */
  double length_penalty; /* with a beam: above 0 favors longer answers, below 0 is none; by default the model's own */
  int min_length;        /* tokens of an answer, its end counted; by default an answer isn't empty */
  int max_length;        /* by default the model's own; at most 1,000,000 */
} seq2see_options;

typedef struct {
  const char *text;              /* UTF-8; of a language model the text, continued */
  double log_prob;               /* in nats; -INFINITY if nothing was found */
  double score;                  /* per token, or what a beam with a length penalty ranked by */
  int finished;                  /* 0 if the answer was cut off at the maximum length */
  size_t num_tokens;             /* rows of `weights`; the end counts */
  const int32_t *tokens;         /* see seq2see_token */
  const double *token_log_probs; /* of each */
  const float *weights;          /* attention [num_tokens, num_source]; NULL for a model without attention */
} seq2see_answer;

typedef struct {
  size_t count; /* at least 1 */
  const seq2see_answer *answers; /* the best first */
  size_t num_source;
  const int32_t *source; /* the tokens of the text, the end counted */
} seq2see_answers;

typedef struct seq2see_model seq2see_model;

/* `weights` is the path of the file of the weights, or NULL if they are in the source. */

/* The answer to a text, as UTF-8 with a final NUL: its number of bytes, or an error. Call seq2see_init before it: it
   reads and prepares the weights, once; 0 or an error. Without it, weights in the source are prepared each time. */
int seq2see(const char *text, char *out, size_t room);
int seq2see_init(const char *weights);

/* The same with models of your own: 0 and the model, ready to answer, or an error and NULL. It isn't changed any more:
   threads may share it. */
int seq2see_open(const char *weights, seq2see_model **model);
void seq2see_close(seq2see_model *model);

/* Answers to a text: 0 and `answers`, to be freed, or an error and NULL. `options` may be NULL. */
int seq2see_predict(const seq2see_model *model, const char *text, const seq2see_options *options,
                    seq2see_answers **answers);
void seq2see_free(seq2see_answers *answers);

/* The token of an id as UTF-8, of the source or the target; NULL for an id that there isn't. */
const char *seq2see_source_token(int32_t id);
const char *seq2see_token(int32_t id);

#ifdef __cplusplus
}
#endif

#endif
