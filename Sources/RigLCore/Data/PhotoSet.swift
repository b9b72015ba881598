/// Photos in files, JPEG or PNG, decoded when they are asked for.
///
/// Orientation marks (Exif) and transparency are ignored, as most training pipelines do.
public struct PhotoSet: PixelDataset {
  /// The names of the classes, by label: their folders'.
  public let classNames: [String]
  /// How photos become samples.
  public var transform: PhotoTransform
  /// How a byte becomes a value.
  public var normalization: PixelNormalization
  /// Whether each image is brought to mean 0 and deviation 1 by its own pixels.
  public var standardizesImages: Bool

  private let files: PhotoFiles

  /// Photos by class.
  ///
  /// - Parameters:
  ///   - path: the folder that holds the classes' folders.
  ///   - classNames: the classes; nil: all folders there, by name.
  /// - Throws: `missingFile` or `data` if there are no classes, folders of other classes, or, where
  ///   the folders say the classes, folders without images.
  public init(
    path: String, classNames: [String]? = nil, transform: PhotoTransform,
    normalization: PixelNormalization = .imageNet, standardizesImages: Bool = false
  ) throws(RigLError) {
    let names: [String]
    if let classNames { names = classNames } else { names = try PhotoFiles.classNames(at: path) }
    files = try PhotoFiles(path: path, classNames: names, areAllNeeded: classNames == nil)
    self.classNames = names
    self.transform = transform
    self.normalization = normalization
    self.standardizesImages = standardizesImages
  }

  /// The number of photos.
  public var count: Int { files.count }
  /// The shape of a sample: three channels, square.
  public var sampleShape: SampleShape {
    SampleShape(channels: 3, height: transform.side, width: transform.side)
  }
  /// The number of classes.
  public var classes: Int { classNames.count }
  /// The class of a photo.
  public func label(of sample: Int) -> Int { files.label(of: sample) }
  /// The file of a photo.
  public func path(of sample: Int) -> String {
    files.path(of: sample, className: classNames[files.label(of: sample)])
  }

  /// The path of a photo below the folder of its set: CLASS/NAME.
  func relativePath(of sample: Int) -> String {
    files.relativePath(of: sample, className: classNames[files.label(of: sample)])
  }

  /// The memory of a decoder.
  public func makeScratch() -> AnyObject? { PhotoDecoder() }

  /// Reads, decodes and resamples a photo.
  ///
  /// - Throws: `missingFile` or `data`, with the path.
  public func writePixels(
    _ sample: Int, in context: SampleContext, with scratch: AnyObject?,
    into pixels: inout MutableSpan<UInt8>
  ) throws(RigLError) {
    let decoder = scratch as? PhotoDecoder ?? PhotoDecoder()
    let draws = context.draws(for: sample)
    try decoder.read(path(of: sample), side: transform.side, into: &pixels) { width, height in
      transform.crop(width: width, height: height, draws: draws)
    }
  }
}

/// The names of many files, by class, in little memory.
private final class PhotoFiles: Sendable {
  private let folder: String
  /// All names, one after the other.
  private let names: [UInt8]
  /// Where each name ends.
  private let ends: [Int]
  private let labels: [Int32]

  var count: Int { ends.count }

  /// The folders in a folder, by name; hidden ones do not count.
  static func classNames(at path: String) throws(RigLError) -> [String] {
    let names = try folderNames(at: path).filter { folderExists(at: "\(path)/\($0)") }
    guard !names.isEmpty else {
      throw RigLError(
        .data, "\(path): there are no folders of classes",
        hint: "Each class should have a folder of its own with its images.")
    }
    return names
  }

  init(path: String, classNames: [String], areAllNeeded: Bool) throws(RigLError) {
    var (names, ends, labels): ([UInt8], [Int], [Int32]) = ([], [], [])
    let known = Set(classNames)
    for name in try PhotoFiles.classNames(at: path) where !known.contains(name) {
      throw RigLError(
        .data, "\(path)/\(name): a class that the training images do not have",
        hint: "The folders should have the same classes.")
    }
    for (label, className) in classNames.enumerated() {
      let folder = "\(path)/\(className)"
      guard folderExists(at: folder) else { continue }
      for name in try folderNames(at: folder) where PhotoDecoder.isPhoto(named: name) {
        names.append(contentsOf: name.utf8)
        ends.append(names.count)
        labels.append(Int32(label))
      }
      if areAllNeeded, labels.last != Int32(label) {
        throw RigLError(
          .data, "\(folder): a class, but there are no images in it",
          hint: "Expected are files that end in .jpg, .jpeg or .png; or remove the folder.")
      }
    }
    guard !labels.isEmpty else {
      throw RigLError(
        .data, "\(path): there are no images in its classes",
        hint: "Expected are files that end in .jpg, .jpeg or .png.")
    }
    folder = path
    (self.names, self.ends, self.labels) = (names, ends, labels)
  }

  func label(of sample: Int) -> Int { Int(labels[sample]) }

  func path(of sample: Int, className: String) -> String {
    "\(folder)/\(relativePath(of: sample, className: className))"
  }

  func relativePath(of sample: Int, className: String) -> String {
    let begin = sample == 0 ? 0 : ends[sample - 1]
    return "\(className)/\(String(decoding: names[begin..<ends[sample]], as: UTF8.self))"
  }
}
