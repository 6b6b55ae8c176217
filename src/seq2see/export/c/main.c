//// main
#ifdef SEQ2SEE_MAIN
/* cc -O3 -DSEQ2SEE_MAIN NAME.c -lm -o NAME: answers each line of its input. NAME [BEAM [N_BEST]]: the answers to a text,
   each with its log-probability, in one line separated by TAB; of a text without an answer, "error" and the number of the
   error, and the exit status is 1. NAME check VECTORS.tsv: compares answers with those in a
   file: beam, text, answer, log-probability. The file of the weights, if they are in one, is the first argument. In texts \t, \n, \r and \\ stand for what can't be in a line. */
#include <stdio.h>

static void unescape(char *text)
{
  char *to = text;
  for (; *text; text++, to++) {
    *to = *text;
    if (*text != '\\' || !text[1]) continue;
    text++;
    *to = *text == 't' ? '\t' : *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text;
  }
  *to = 0;
}

static void print_escaped(const char *text)
{
  for (; *text; text++) {
    const char *const found = strchr("\t\n\r\\", *text);
    if (found)
      printf("\\%c", "tnr\\"[found - "\t\n\r\\"]);
    else
      putchar(*text);
  }
}

static char *read_line(FILE *file)
{
  size_t length = 0, room = 256;
  char *line = malloc(room);
  for (int c; line && (c = getc(file)) != '\n';) {
    if (c == EOF && !length) {
      free(line);
      return NULL;
    }
    if (c == EOF) break;
    if (length + 2 > room) {
      char *const more = realloc(line, room *= 2);
      if (!more) free(line);
      line = more;
    }
    if (line) line[length++] = (char)c;
  }
  if (line && length && line[length - 1] == '\r') length--; /* a line may end in CR LF */
  if (line) line[length] = 0;
  return line;
}

static int check(const seq2see_model *model, const char *path)
{
  FILE *const file = fopen(path, "r");
  int count = 0, same = 0;
  double difference = 0.0;
  char *line;
  if (!file) {
    fprintf(stderr, "%s: can't be read\n", path);
    return 2;
  }
  while ((line = read_line(file)) != NULL) {
    char *fields[4] = {line, NULL, NULL, NULL};
    int n = 0;
    for (char *c = line; *c && n < 3; c++)
      if (*c == '\t') {
        *c = 0;
        fields[++n] = c + 1;
      }
    if (n == 3) {
      seq2see_options options = {0, 0, 0.0, 0, 0};
      seq2see_answers *answers;
      options.beam = atoi(fields[0]);
      unescape(fields[1]);
      unescape(fields[2]);
      count++;
      if (!seq2see_predict(model, fields[1], &options, &answers)) {
        if (!strcmp(answers->answers[0].text, fields[2])) {
          const double own = fabs(answers->answers[0].log_prob - strtod(fields[3], NULL));
          same++;
          if (own > difference) difference = own;
        }
        seq2see_free(answers);
      }
    }
    free(line);
  }
  fclose(file);
  printf("%d of %d answers are the same; largest difference in log-probability %.2g\n", same, count, difference);
  return count && same == count && difference < 1e-3 ? 0 : 1;
}

int main(int argc, char **argv)
{
  seq2see_options options = {0, 0, 0.0, 0, 0};
  seq2see_model *model;
  const char *weights = NULL;
  int status = 0;
  char *line;
#ifdef WEIGHTS_BYTES
  if (argc > 1) {
    weights = *++argv;
    argc--;
  }
#endif
  const int refused = seq2see_open(weights, &model);
  if (refused) {
    fprintf(stderr, "error %d: %s\n", refused,
            refused == SEQ2SEE_NO_WEIGHTS    ? "the file of the weights, the first argument, can't be read"
            : refused == SEQ2SEE_BAD_WEIGHTS ? "the first argument is not the file of the weights of this model"
                                             : "no memory");
    return 2;
  }
  if (argc == 3 && !strcmp(argv[1], "check")) {
    status = check(model, argv[2]);
    seq2see_close(model);
    return status;
  }
  if (argc > 1) options.beam = atoi(argv[1]);
  if (argc > 2) options.n_best = atoi(argv[2]);
  while ((line = read_line(stdin)) != NULL) {
    seq2see_answers *answers;
    unescape(line);
    const int error = seq2see_predict(model, line, &options, &answers);
    if (error) {
      printf("error\t%d", error);
      status = 1;
    }
    for (size_t i = 0; !error && i < answers->count; i++) {
      if (i) putchar('\t');
      print_escaped(answers->answers[i].text);
      printf("\t%.9g", answers->answers[i].log_prob);
    }
    putchar('\n');
    seq2see_free(answers);
    free(line);
  }
  seq2see_close(model);
  return status;
}
#endif
