//// weights in the source
static const unsigned char *weights_of(Work *work, const char *path)
{
  if (path) fail(work, SEQ2SEE_BAD_OPTION);
  return NULL;
}

//// weights in a file
#include <stdio.h>

/* CRC-32, as in zip and PNG. */
static uint32_t checksum(const unsigned char *bytes, size_t number)
{
  uint32_t table[16], found = 0xffffffffu;
  for (uint32_t i = 0; i < 16; i++) {
    table[i] = i;
    for (int bit = 0; bit < 4; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
  }
  for (size_t i = 0; i < number; i++) {
    found ^= bytes[i];
    found = found >> 4 ^ table[found & 15];
    found = found >> 4 ^ table[found & 15];
  }
  return ~found;
}

/* The bytes of the file. What its numbers say is not used as an index, so a forged file gives wrong answers and no more. */
static const unsigned char *weights_of(Work *work, const char *path)
{
  if (!path) fail(work, SEQ2SEE_NO_WEIGHTS);
  unsigned char *const bytes = new_block(work, WEIGHTS_BYTES, 1);
  FILE *const file = fopen(path, "rb");
  uint32_t mark;
  if (!file) fail(work, SEQ2SEE_NO_WEIGHTS);
  const size_t number = fread(bytes, 1, WEIGHTS_BYTES, file);
  const int is_longer = getc(file) != EOF, is_unreadable = ferror(file);
  fclose(file);
  if (is_unreadable) fail(work, SEQ2SEE_NO_WEIGHTS);
  if (number != WEIGHTS_BYTES || is_longer || checksum(bytes, number) != WEIGHTS_CHECKSUM) fail(work, SEQ2SEE_BAD_WEIGHTS);
  memcpy(&mark, bytes, sizeof(mark));
  if (mark != WEIGHTS_MARK) fail(work, SEQ2SEE_BAD_WEIGHTS);
  return bytes;
}
