// cim_jpeg.c: JPEG files to pixels and back.
#include "cim_picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#ifndef JCS_EXTENSIONS
#error "libjpeg-turbo is needed: another libjpeg does not write four bytes a pixel"
#endif

/// More scans than any encoder writes: each costs a pass over the whole picture.
enum { most_scans = 100 };

/// libjpeg's error manager, where to go on an error, and what was seen of the file.
typedef struct reader {
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf failed;
  cim_message *message;
  cim_status status;
  bool has_run_out;     // the file ended before its end marker
  unsigned components;  // a bit for each component that a scan has been of
} reader;

static reader *reader_of(j_common_ptr jpeg) {
  return (reader *)jpeg->err;  // its first member
}

static _Noreturn void leave(j_common_ptr jpeg, cim_status status) {
  reader *r = reader_of(jpeg);
  r->status = status;
  longjmp(r->failed, 1);
}

static _Noreturn void leave_saying(j_common_ptr jpeg, const char *text) {
  cim_message *message = reader_of(jpeg)->message;
  snprintf(message->text, sizeof message->text, "%s", text);
  leave(jpeg, cim_status_damaged);
}

static cim_status status_of(int code) {
  switch (code) {
    case JERR_OUT_OF_MEMORY:
      return cim_status_no_memory;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
      return cim_status_unsupported;
    default:
      return cim_status_damaged;
  }
}

static _Noreturn void fail(j_common_ptr jpeg) {
  char text[JMSG_LENGTH_MAX];
  reader *r = reader_of(jpeg);
  jpeg->err->format_message(jpeg, text);
  snprintf(r->message->text, sizeof r->message->text, "%s", text);
  leave(jpeg, status_of(jpeg->err->msg_code));
}

/// Warnings (below 0) count where image data is missing or makes no sense; others are remarks: odd
/// versions, stray bytes before a marker, spectral selection in a file that has none.
static void hear_remark(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
      reader_of(jpeg)->has_run_out = true;
      break;
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      fail(jpeg);
    default:
      break;
  }
}

static void count_scans(j_common_ptr common) {
  j_decompress_ptr jpeg = (j_decompress_ptr)common;
  if (jpeg->input_scan_number > most_scans) leave_saying(common, "too many scans");
  for (int i = 0; i < jpeg->comps_in_scan; i++)
    reader_of(common)->components |= 1u << jpeg->cur_comp_info[i]->component_index;
}

static void say_nothing(j_common_ptr jpeg) {
  (void)jpeg;
}

static struct jpeg_error_mgr *errors_of(reader *r) {
  jpeg_std_error(&r->errors);
  r->errors.error_exit = fail;
  r->errors.emit_message = hear_remark;
  r->errors.output_message = say_nothing;
  r->progress.progress_monitor = count_scans;
  r->message->text[0] = 0;
  return &r->errors;
}

static void begin(j_decompress_ptr jpeg, reader *r, const uint8_t *file, size_t count) {
  jpeg_create_decompress(jpeg);
  jpeg->progress = &r->progress;
  jpeg_mem_src(jpeg, file, count);
  jpeg_read_header(jpeg, TRUE);
}

static bool has_ink(const struct jpeg_decompress_struct *jpeg) {
  return jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
}

/// Bytes of all coefficients, where they have to be kept until the last scan.
static uint64_t coefficient_bytes(j_decompress_ptr jpeg) {
  uint64_t blocks = 0;
  if (!jpeg_has_multiple_scans(jpeg)) return 0;
  for (int i = 0; i < jpeg->num_components; i++) {
    const jpeg_component_info *component = &jpeg->comp_info[i];
    // Whole units of all components, with a block or so at the edges that no pixel needs.
    blocks += ((uint64_t)component->width_in_blocks + (uint64_t)component->h_samp_factor) *
              ((uint64_t)component->height_in_blocks + (uint64_t)component->v_samp_factor);
  }
  return blocks * sizeof(JBLOCK);
}

/// The two steps of reading, each with the place to which failures return; what they change is the
/// caller's, so that it is known afterwards.
static void try_header(j_decompress_ptr jpeg, reader *r, const uint8_t *file, size_t count,
                       cim_jpeg_header *header) {
  if (setjmp(r->failed)) return;
  begin(jpeg, r, file, count);
  *header = (cim_jpeg_header){jpeg->image_width, jpeg->image_height, has_ink(jpeg),
                              coefficient_bytes(jpeg)};
}

cim_status cim_jpeg_read_header(const uint8_t *file, size_t count, cim_jpeg_header *header,
                                cim_message *message) {
  reader r = {.message = message};
  struct jpeg_decompress_struct jpeg = {.err = errors_of(&r)};
  try_header(&jpeg, &r, file, count, header);
  jpeg_destroy_decompress(&jpeg);
  return r.status;
}

/// Fails unless all scans were there that a picture needs. Of a file with an end marker these are
/// what it chose to say, of one without every bit of every coefficient.
static void require_scans(j_decompress_ptr jpeg, const reader *r) {
  for (int i = 0; i < jpeg->num_components; i++) {
    bool is_there = r->components >> i & 1;
    if (jpeg->progressive_mode) {
      is_there = jpeg->coef_bits[i][0] >= 0;
      for (int k = 0; k < DCTSIZE2 && r->has_run_out; k++)
        is_there = is_there && jpeg->coef_bits[i][k] == 0;
    }
    if (!is_there) leave_saying((j_common_ptr)jpeg, "a part of the picture is missing");
  }
}

static void read_all(j_decompress_ptr jpeg, const reader *r, int32_t reduction, uint8_t *pixels) {
  const bool has_several_scans = jpeg_has_multiple_scans(jpeg);
  jpeg->out_color_space = has_ink(jpeg) ? JCS_CMYK : JCS_EXT_RGBX;
  jpeg->scale_num = 1;
  jpeg->scale_denom = (unsigned)reduction;
  // Of a file of several scans this reads all of them.
  jpeg_start_decompress(jpeg);
  if (has_several_scans) require_scans(jpeg, r);
  const size_t stride = 4 * (size_t)jpeg->output_width;
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = pixels + jpeg->output_scanline * stride;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  // What comes behind the last row is of no interest.
}

static void try_pixels(j_decompress_ptr jpeg, reader *r, const uint8_t *file, size_t count,
                       int32_t reduction, uint8_t *pixels) {
  if (setjmp(r->failed)) return;
  begin(jpeg, r, file, count);
  read_all(jpeg, r, reduction, pixels);
}

cim_status cim_jpeg_read(const uint8_t *file, size_t count, int32_t reduction, uint8_t *pixels,
                         cim_message *message) {
  reader r = {.message = message};
  struct jpeg_decompress_struct jpeg = {.err = errors_of(&r)};
  try_pixels(&jpeg, &r, file, count, reduction, pixels);
  jpeg_destroy_decompress(&jpeg);
  return r.status;
}

/// What is written to: libjpeg takes memory, and makes it larger.
typedef struct output {
  unsigned char *file;
  unsigned long count;
} output;

static void try_writing(j_compress_ptr jpeg, reader *r, const uint8_t *pixels, uint32_t width,
                        uint32_t height, int32_t quality, bool progressive, output *output) {
  if (setjmp(r->failed)) return;
  jpeg_create_compress(jpeg);
  jpeg_mem_dest(jpeg, &output->file, &output->count);
  jpeg->image_width = width;
  jpeg->image_height = height;
  jpeg->input_components = 3;
  jpeg->in_color_space = JCS_RGB;
  jpeg_set_defaults(jpeg);
  jpeg_set_quality(jpeg, quality, TRUE);
  if (progressive) jpeg_simple_progression(jpeg);
  jpeg_start_compress(jpeg, TRUE);
  while (jpeg->next_scanline < height) {
    JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + jpeg->next_scanline * (size_t)width * 3);
    jpeg_write_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_compress(jpeg);
}

cim_status cim_jpeg_write(const uint8_t *pixels, uint32_t width, uint32_t height, int32_t quality,
                          bool progressive, uint8_t **file, size_t *count, cim_message *message) {
  reader r = {.message = message};
  struct jpeg_compress_struct jpeg = {.err = errors_of(&r)};
  output written = {NULL, 0};
  try_writing(&jpeg, &r, pixels, width, height, quality, progressive, &written);
  jpeg_destroy_compress(&jpeg);
  if (r.status != cim_status_ok) {
    free(written.file);
    written = (output){NULL, 0};
  }
  *file = written.file;
  *count = written.count;
  return r.status;
}
