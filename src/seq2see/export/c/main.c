//// main
#ifdef SEQ2SEE_MAIN
/* cc -O3 -DSEQ2SEE_MAIN NAME.c -lm -o NAME: a program that answers each line of its input. Its arguments are in
   `print_usage`. */
#include <errno.h>
#include <stdio.h>

#ifdef WEIGHTS_BYTES
#define WEIGHTS_ARGUMENT " WEIGHTS"
#else
#define WEIGHTS_ARGUMENT ""
#endif

static void print_usage(const char *program)
{
  fprintf(stderr,
          "usage: %s" WEIGHTS_ARGUMENT " [escaped] [BEAM [N_BEST]] < TEXTS\n"
          "       %s" WEIGHTS_ARGUMENT " check VECTORS.tsv\n"
          "Each line of the input is a text. Its line of the output has the N_BEST answers of a search with this BEAM,\n"
          "by default 1 and 1, each with its log-probability, separated by TAB. In answers \\t, \\n, \\r and \\\\ stand\n"
          "for TAB, the ends of lines and a backslash; with `escaped` in texts, too. For a text without an answer the\n"
          "line is error, TAB, and the number of the error. `check` compares answers with those in a file: beam, text,\n"
          "answer, log-probability.\n"
          "Exit status: 0; 1 if a text has no answer, or another one than in the file; 2 if the program can't go on.\n",
          program, program);
}

/* Ends the program. */
static void stop(const char *what, const char *why)
{
  fprintf(stderr, "%s: %s\n", what, why);
  exit(2);
}

/* A number from 1 to `most` in decimal digits, or 0. */
static int whole_number(const char *text, int most)
{
  char *end;
  if (*text < '0' || *text > '9') return 0;
  const long found = strtol(text, &end, 10);
  return *end || found < 1 || found > most ? 0 : (int)found;
}

/* The number that is an argument. */
static int argument(const char *name, const char *given, int most, const char *program)
{
  const int found = whole_number(given, most);
  if (!found) {
    fprintf(stderr, "%s must be a whole number from 1 to %d, not %s\n", name, most, given);
    print_usage(program);
    exit(2);
  }
  return found;
}

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

/* The next line, to be freed, or NULL at the end. A NUL in it makes it longer than its text. */
static char *read_line(FILE *file, const char *name, size_t *length)
{
  size_t number = 0, room = 256;
  char *line = malloc(room);
  if (!line) stop(name, "no memory for a line");
  for (int c; (c = getc(file)) != '\n';) {
    if (c == EOF) {
      if (ferror(file)) stop(name, strerror(errno));
      if (number) break;
      free(line);
      return NULL;
    }
    if (number + 2 > room) {
      char *const more = room > SIZE_MAX / 2 ? NULL : realloc(line, room *= 2);
      if (!more) stop(name, "no memory for a line");
      line = more;
    }
    line[number++] = (char)c;
  }
  if (number && line[number - 1] == '\r') number--; /* a line may end in CR LF */
  line[number] = 0;
  *length = number;
  return line;
}

/* Ends the program if what was printed can't be written. */
static void require_written(void)
{
  if (ferror(stdout) || fflush(stdout)) stop("the output can't be written", strerror(errno));
}

static int check(const seq2see_model *model, const char *path)
{
  FILE *const file = fopen(path, "r");
  int count = 0, same = 0;
  double difference = 0.0;
  char *line;
  size_t length;
  if (!file) stop(path, strerror(errno));
  for (; (line = read_line(file, path, &length)) != NULL; free(line)) {
    char *fields[4] = {line, NULL, NULL, NULL};
    int n = 0;
    for (char *c = line; *c && n < 3; c++)
      if (*c == '\t') {
        *c = 0;
        fields[++n] = c + 1;
      }
    count++;
    if (n < 3) continue;
    seq2see_options options = {0, 0, 0.0, 0, 0};
    seq2see_answers *answers;
    options.beam = whole_number(fields[0], MAX_BEAM);
    unescape(fields[1]);
    unescape(fields[2]);
    if (!options.beam || seq2see_predict(model, fields[1], &options, &answers)) continue;
    if (!strcmp(answers->answers[0].text, fields[2])) {
      const double own = fabs(answers->answers[0].log_prob - strtod(fields[3], NULL));
      same++;
      if (own > difference) difference = own;
    }
    seq2see_free(answers);
  }
  fclose(file);
  printf("%d of %d answers are the same; largest difference in log-probability %.2g\n", same, count, difference);
  return count && same == count && difference < 1e-3 ? 0 : 1;
}

/* Prints the answers to each line of the input. */
static int answer_lines(const seq2see_model *model, const seq2see_options *options, int escaped)
{
  static const char mark[] = "\xEF\xBB\xBF"; /* a byte order mark, which some editors write */
  int status = 0, is_first = 1;
  char *line;
  size_t length;
  for (; (line = read_line(stdin, "the input can't be read", &length)) != NULL; free(line), is_first = 0) {
    seq2see_answers *answers = NULL;
    char *const text = is_first && !strncmp(line, mark, 3) ? line + 3 : line;
    const int has_nul = strlen(line) < length;
    if (escaped) unescape(text);
    const int error = has_nul ? SEQ2SEE_BAD_TEXT : seq2see_predict(model, text, options, &answers);
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
    if (ferror(stdout)) require_written();
  }
  return status;
}

int main(int argc, char **argv)
{
  seq2see_options options = {1, 1, 0.0, 0, 0};
  seq2see_model *model;
  const char *const program = argc ? argv[0] : "NAME";
  const char *weights = NULL;
  int at = 1;
#ifdef WEIGHTS_BYTES
  if (at < argc) weights = argv[at++];
#endif
  const int checks = at < argc && !strcmp(argv[at], "check");
  const int escaped = at < argc && !strcmp(argv[at], "escaped");
  const char *const vectors = checks && at + 1 < argc ? argv[at + 1] : NULL;
  at += checks ? 2 : escaped;
  if (!checks && at < argc) options.beam = argument("BEAM", argv[at++], MAX_BEAM, program);
  if (!checks && at < argc) options.n_best = argument("N_BEST", argv[at++], options.beam, program);
  if (at < argc || (checks && !vectors)) {
    if (at < argc)
      fprintf(stderr, "unexpected argument %s\n", argv[at]);
    else
      fprintf(stderr, "check needs the file VECTORS.tsv\n");
    print_usage(program);
    return 2;
  }
  const int refused = seq2see_open(weights, &model);
  if (refused) {
    fprintf(stderr, "error %d: %s\n", refused,
            refused == SEQ2SEE_NO_WEIGHTS    ? "the file of the weights, the first argument, can't be read"
            : refused == SEQ2SEE_BAD_WEIGHTS ? "the first argument is not the file of the weights of this model"
                                             : "no memory");
    return 2;
  }
  const int status = checks ? check(model, vectors) : answer_lines(model, &options, escaped);
  require_written();
  seq2see_close(model);
  return status;
}
#endif
