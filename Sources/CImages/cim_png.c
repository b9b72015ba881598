// cim_png.c: PNG files to pixels, the stored samples and nothing else.
#include "cim_picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// The file, how far it is read, and where to go when it is damaged.
typedef struct reader {
  const uint8_t *file;
  size_t count;
  size_t position;
  bool is_in_image;
  volatile bool has_no_memory;  // read after a longjmp
  jmp_buf failed;
  cim_message *message;
} reader;

static uint32_t big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool cim_png_size(const uint8_t *file, size_t count, uint32_t *width, uint32_t *height) {
  static const uint8_t head[16] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n',
                                   0,    0,   0,   13,  'I',  'H',  'D',  'R'};
  if (count < 24 || memcmp(file, head, sizeof head) != 0) return false;
  *width = big_endian(file + 16);
  *height = big_endian(file + 20);
  return true;
}

/// libpng says by a text alone why it fails; so its memory goes through here.
static png_voidp allocate(png_structp png, png_alloc_size_t count) {
  reader *r = png_get_mem_ptr(png);
  void *memory = malloc(count);
  if (!memory) r->has_no_memory = true;
  return memory;
}

static void release(png_structp png, png_voidp memory) {
  (void)png;
  free(memory);
}

static _Noreturn void fail(png_structp png, const char *text) {
  reader *r = png_get_error_ptr(png);
  snprintf(r->message->text, sizeof r->message->text, "%s", text);
  longjmp(r->failed, 1);
}

/// Remarks count only where they are on image data: it does not match its checksum, say. More of
/// it than the picture needs takes nothing from the picture.
static void hear_remark(png_structp png, const char *text) {
  const reader *r = png_get_error_ptr(png);
  if (!r->is_in_image) return;
  if (strstr(text, "Too much image data") || strstr(text, "Extra compressed data")) return;
  fail(png, text);
}

static void read_bytes(png_structp png, png_bytep bytes, size_t count) {
  reader *r = png_get_io_ptr(png);
  if (count > r->count - r->position) fail(png, "the file ends early");
  memcpy(bytes, r->file + r->position, count);
  r->position += count;
}

/// Has libpng pass over everything that says nothing about the stored samples, sound or not.
static void ignore_ancillary(png_structp png) {
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  static const png_byte transparency[] = {'t', 'R', 'N', 'S', 0};
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, transparency, 1);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_QUIET_USE);
  png_set_benign_errors(png, 1);
  png_set_chunk_malloc_max(png, 0);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
}

/// From any kind of samples to four bytes a pixel.
static void set_transforms(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  if (type & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
  if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
  png_set_filler(png, 0xFF, PNG_FILLER_AFTER);
}

static void read_all(png_structp png, png_infop info, uint32_t width, uint32_t height,
                     uint8_t *pixels) {
  png_read_info(png, info);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height)
    png_error(png, "two sizes");
  set_transforms(png, info);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  const size_t stride = 4 * (size_t)width;
  if (png_get_rowbytes(png, info) != stride) png_error(png, "pixels of an unknown kind");
  reader *r = png_get_error_ptr(png);
  r->is_in_image = true;
  // The last row also checks what ends the image data. What comes behind it is of no interest.
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + y * stride, NULL);
}

cim_status cim_png_read(const uint8_t *file, size_t count, uint32_t width, uint32_t height,
                        uint8_t *pixels, cim_message *message) {
  reader r = {.file = file, .count = count, .message = message};
  message->text[0] = 0;
  png_structp png =
      png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, fail, hear_remark, &r, allocate, release);
  if (!png) return cim_status_no_memory;
  png_infop info = png_create_info_struct(png);
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return cim_status_no_memory;
  }
  // Neither pointer changes after this.
  if (setjmp(r.failed)) {
    png_destroy_read_struct(&png, &info, NULL);
    return r.has_no_memory ? cim_status_no_memory : cim_status_damaged;
  }
  png_set_read_fn(png, &r, read_bytes);
  ignore_ancillary(png);
  read_all(png, info, width, height, pixels);
  png_destroy_read_struct(&png, &info, NULL);
  return cim_status_ok;
}
