internal import CImages
internal import CPNG
import Foundation
import RigLCore

/// Encodes small pictures as JPEG or PNG, for generated folders and tests.
package enum ImageWriter {
  /// A JPEG of red, green and blue bytes, row by row.
  ///
  /// - Parameters:
  ///   - quality: 1...100.
  ///   - isProgressive: whether it is written in several scans, from coarse to fine.
  /// - Throws: `write` if the library cannot.
  package static func jpeg(
    _ pixels: [UInt8], width: Int, height: Int, quality: Int = 90, isProgressive: Bool = false
  ) throws(RigLError) -> [UInt8] {
    check(pixels, width, height)
    trap(unless: (1...100).contains(quality), "ImageWriter: quality \(quality), expected 1...100")
    var file: UnsafeMutablePointer<UInt8>?
    var (count, message) = (0, cim_message())
    let status = unsafe pixels.withUnsafeBufferPointer { pixels in
      unsafe cim_jpeg_write(
        pixels.baseAddress, UInt32(width), UInt32(height), Int32(quality), isProgressive, &file,
        &count, &message)
    }
    guard status == cim_status_ok, let file = unsafe file else {
      throw RigLError(.write, "a JPEG could not be encoded")
    }
    defer { unsafe free(file) }
    return unsafe Array(UnsafeBufferPointer(start: file, count: count))
  }

  /// A PNG of red, green and blue bytes, row by row.
  ///
  /// - Throws: `write` if the library cannot.
  package static func png(
    _ pixels: [UInt8], width: Int, height: Int
  ) throws(RigLError) -> [UInt8] {
    check(pixels, width, height)
    var image = unsafe png_image()
    unsafe image.version = UInt32(PNG_IMAGE_VERSION)
    unsafe image.width = UInt32(width)
    unsafe image.height = UInt32(height)
    unsafe image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    defer { unsafe png_image_free(&image) }
    // More than deflate can make of it: 5 bytes for each block of up to 16 KB, and the chunks.
    var size = pixels.count + height + pixels.count / 1000 + 4096
    var file = [UInt8](repeating: 0, count: size)
    let status: Int32 = unsafe pixels.withUnsafeBufferPointer { pixels in
      unsafe file.withUnsafeMutableBufferPointer { file in
        unsafe png_image_write_to_memory(
          &image, file.baseAddress, &size, 0, pixels.baseAddress, Int32(3 * width), nil)
      }
    }
    guard status != 0 else { throw RigLError(.write, "a PNG could not be encoded") }
    return Array(file[..<size])
  }

  private static func check(_ pixels: [UInt8], _ width: Int, _ height: Int) {
    trap(
      unless: width > 0 && height > 0 && pixels.count == 3 * width * height,
      "ImageWriter: \(pixels.count) bytes for \(width) × \(height) pixels")
  }
}

/// A folder of generated photos to classify, for trying things out: coloured shapes on noise.
///
/// Classes differ by shape (disc, square, cross, ring) and, beyond four, by colour; where the shape
/// lies, how large and how bright it is, and the picture's size are drawn from the seed.
package struct GeneratedImageFolder: Hashable, Sendable {
  /// The number of classes.
  package var classes: Int
  /// Photos of each class in `train`.
  package var trainPerClass: Int
  /// Photos of each class in `val`.
  package var validationPerClass: Int
  /// The shorter side of the pictures, in pixels; the longer one has up to half as much again.
  package var side: Int
  /// Every so many pictures are PNG, the others JPEG; 0: all are JPEG.
  package var pngEvery: Int
  /// The seed of all random numbers of the images.
  package var seed: UInt64

  /// Describes a folder; nothing is written yet.
  package init(
    classes: Int = 4, trainPerClass: Int = 32, validationPerClass: Int = 8, side: Int = 96,
    pngEvery: Int = 4, seed: UInt64 = 1
  ) {
    trap(unless: (1...64).contains(classes), "GeneratedImageFolder: \(classes) classes of 1...64")
    trap(unless: side >= 8, "GeneratedImageFolder: side \(side), expected 8 or more")
    self.classes = classes
    self.trainPerClass = trainPerClass
    self.validationPerClass = validationPerClass
    self.side = side
    self.pngEvery = pngEvery
    self.seed = seed
  }

  /// Writes `train/CLASS/…` and `val/CLASS/…` below a folder, which is made.
  ///
  /// - Throws: `write`.
  package func write(to path: String) throws(RigLError) {
    for (part, count) in [trainPerClass, validationPerClass].enumerated() {
      for label in 0..<classes {
        let folder = "\(path)/\(part == 0 ? "train" : "val")/\(className(label))"
        do {
          try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        } catch {
          throw RigLError(.write, "\(folder): \(error.localizedDescription)")
        }
        for number in 0..<count {
          try write(number, label: label, part: part, to: folder)
        }
      }
    }
  }

  /// The name of a class: its shape and colour.
  package func className(_ label: Int) -> String {
    let shape = ["disc", "square", "cross", "ring"][label % 4]
    return label < 4 ? shape : "\(shape)-\(label / 4)"
  }

  private func write(
    _ number: Int, label: Int, part: Int, to folder: String
  ) throws(RigLError) {
    let picture = picture(number, label: label, part: part)
    let isPNG = pngEvery > 0 && number % pngEvery == pngEvery - 1
    let bytes =
      isPNG
      ? try ImageWriter.png(picture.pixels, width: picture.width, height: picture.height)
      : try ImageWriter.jpeg(picture.pixels, width: picture.width, height: picture.height)
    let digits = "\(number)"
    let name = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    let path = "\(folder)/\(name).\(isPNG ? "png" : "jpg")"
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    } catch {
      throw RigLError(.write, "\(path): \(error.localizedDescription)")
    }
  }

  /// One picture: red, green and blue, row by row.
  private func picture(
    _ number: Int, label: Int, part: Int
  ) -> (pixels: [UInt8], width: Int, height: Int) {
    var draws = CounterRandom(
      seed: seed, purpose: .synthetic, layer: 16 + 2 * label + part, stream: UInt64(number)
    ).sequence()
    func between(_ low: Double, _ high: Double) -> Double {
      low + (high - low) * Double(draws.nextWord32()) * 0x1p-32
    }
    let long = Int(Double(side) * between(1, 1.5))
    let (width, height) = draws.integer(below: 2) == 0 ? (side, long) : (long, side)
    let radius = Double(side) * between(0.2, 0.35)
    let (x, y) = (
      between(radius, Double(width) - radius), between(radius, Double(height) - radius)
    )
    let brightness = between(0.6, 1)
    // A colour of its own for every four classes, far from grey.
    let colour = (0..<3).map { channel in
      brightness * ((label / 4 + 1) >> channel & 1 == 1 ? 230 : 40 + 15 * Double(label / 28))
    }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * width * height)
    for row in 0..<height {
      for column in 0..<width {
        let (dx, dy) = ((Double(column) - x) / radius, (Double(row) - y) / radius)
        let noise = Double(draws.nextWord32() >> 24) / 4
        let isInside = contains(dx, dy, shape: label % 4)
        for channel in 0..<3 {
          pixels.append(UInt8(min(255, (isInside ? colour[channel] : 96) + noise)))
        }
      }
    }
    return (pixels, width, height)
  }

  private func contains(_ x: Double, _ y: Double, shape: Int) -> Bool {
    let square = x * x + y * y
    return switch shape {
    case 0: square <= 1
    case 1: abs(x) <= 0.8 && abs(y) <= 0.8
    case 2: min(abs(x), abs(y)) <= 0.25 && max(abs(x), abs(y)) <= 1
    default: square <= 1 && square >= 0.45
    }
  }
}
