// include/cim_picture.h: JPEG and PNG files to pixels and back.
//
// The libraries leave their functions by longjmp where a file is damaged: no frame but those of
// these files lies between. What they only remark on, and leaves every pixel as it is, is no error.
#ifndef CIM_PICTURE_H
#define CIM_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What became of a file.
typedef enum cim_status {
  cim_status_ok,
  cim_status_damaged,      // image data is missing or wrong
  cim_status_unsupported,  // sound as far as it was read, but of a kind that is not decoded
  cim_status_no_memory,
} cim_status;

/// Why a file is not decoded, in the library's words; ends in a zero byte.
typedef struct cim_message {
  char text[208];
} cim_message;

/// The size that a PNG file says it has; false where its header is not one.
bool cim_png_size(const uint8_t *file, size_t count, uint32_t *width, uint32_t *height);

/// The stored samples of a PNG file as red, green, blue and 255: palettes looked up, grey three
/// times, 1 to 4 bits spread over 0...255, of 16 bits the high byte; transparency, gamma and colour
/// profiles ignored.
///
///   width, height  what cim_png_size said
///   pixels         (height, width, 4) bytes; undefined unless the status is ok
cim_status cim_png_read(const uint8_t *file, size_t count, uint32_t width, uint32_t height,
                        uint8_t *pixels, cim_message *message);

/// What the head of a JPEG file says.
typedef struct cim_jpeg_header {
  uint32_t width;
  uint32_t height;
  bool has_ink;  // four inks instead of red, green and blue
  /// Bytes that are held while it is decoded, besides its pixels: the coefficients of a file of
  /// several scans, 0 of others.
  uint64_t coefficient_bytes;
} cim_jpeg_header;

/// Reads the head of a JPEG file.
cim_status cim_jpeg_read_header(const uint8_t *file, size_t count, cim_jpeg_header *header,
                                cim_message *message);

/// A JPEG file as red, green, blue and a byte without meaning, or, where it has ink, as its four
/// inks: of pixels as large as `reduction` of the file's, those at the right and lower edge that
/// are not full ones included.
///
///   reduction  1, 2, 4 or 8
///   pixels     (ceil(height / reduction), ceil(width / reduction), 4) bytes; undefined unless the
///              status is ok
cim_status cim_jpeg_read(const uint8_t *file, size_t count, int32_t reduction, uint8_t *pixels,
                         cim_message *message);

/// Writes a JPEG file with colours at half the resolution.
///
///   pixels   (height, width, 3) bytes: red, green and blue
///   quality  1...100
///   file     receives `*count` bytes, for the caller to free(); null unless the status is ok
cim_status cim_jpeg_write(const uint8_t *pixels, uint32_t width, uint32_t height, int32_t quality,
                          bool progressive, uint8_t **file, size_t *count, cim_message *message);

#ifdef __cplusplus
}
#endif
#endif
