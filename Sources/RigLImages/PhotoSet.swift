import Foundation
import RigLCore

/// Photos in files, JPEG or PNG, decoded when they are asked for.
///
/// Orientation marks (Exif) and transparency are ignored, as most training pipelines do.
package struct PhotoSet: PixelDataset, LibraryDataset {
  /// The names of the classes, by label: their folders'.
  package let classNames: [String]
  /// How photos become samples.
  package var transform: PhotoTransform
  /// How a byte becomes a value.
  package var normalization: PixelNormalization
  /// Whether each image is brought to mean 0 and deviation 1 by its own pixels.
  package var standardizesImages: Bool

  /// The folder that holds the classes' folders.
  package let folder: String
  /// What of the folder is not used, a line each: files that are no photos, folders within classes,
  /// classes without photos.
  package var remarks: [String]

  /// Whether no folder says which of its photos are to be tested on: a part of them is.
  package internal(set) var isDivided = false

  private let files: PhotoFiles

  fileprivate var photoClassNames: [String] { classNames }

  /// Photos by class. Names are the same if they look the same (are canonically equivalent),
  /// whichever way their bytes say it; folders are opened by the bytes of their own names.
  ///
  /// - Parameters:
  ///   - path: the folder that holds the classes' folders.
  ///   - classNames: the classes; nil: all folders there, by name.
  /// - Throws: `missingFile` or `data` if there are no classes, folders of other classes, or, where
  ///   the folders say the classes, folders without images.
  package init(
    path: String, classNames: [String]? = nil, transform: PhotoTransform,
    normalization: PixelNormalization = .imageNet, standardizesImages: Bool = false
  ) throws(RigLError) {
    files = try PhotoFiles(path: path, classNames: classNames)
    (folder, remarks) = (path, files.remarks)
    self.classNames = classNames ?? files.folders
    self.transform = transform
    self.normalization = normalization
    self.standardizesImages = standardizesImages
  }

  /// The number of photos.
  package var count: Int { files.count }
  /// The shape of a sample: three channels, square.
  package var sampleShape: SampleShape {
    SampleShape(channels: 3, height: transform.side, width: transform.side)
  }
  /// The number of classes.
  package var classes: Int { classNames.count }
  /// The names of those classes of which there are photos.
  var presentClasses: [String] {
    var isPresent = [Bool](repeating: false, count: classes)
    for sample in 0..<count { isPresent[label(of: sample)] = true }
    return classNames.indices.filter { isPresent[$0] }.map { classNames[$0] }
  }
  /// The class of a photo.
  package func label(of sample: Int) -> Int { files.label(of: sample) }
  /// The file of a photo.
  package func path(of sample: Int) -> String { files.path(of: sample) }

  /// The path of a photo below the folder of its set: CLASS/NAME.
  package func key(of sample: Int) -> String? { files.relativePath(of: sample) }

  /// The checksum of the photos' paths and sizes, as to read them all would take long.
  package func checksums(of samples: some Sequence<Int>) -> [String: String] {
    var sum = SafetensorsChecksum()
    for sample in samples {
      let size = FileSystem.size(of: path(of: sample)) ?? -1
      let path = files.relativePath(of: sample).precomposedStringWithCanonicalMapping
      sum.append(Array("\(path)\0\(size)\n".utf8))
    }
    return ["names or sizes": sum.digits]
  }

  /// Throws where a part is to be the first or last photos, which would be of few classes.
  package func requireDivisible(
    by rule: Configuration.Split, for setting: String
  ) throws(RigLError) {
    guard rule == .sequential else { return }
    throw RigLError(
      .configuration,
      "split: sequential cannot take a part of photos (\(setting)), which lie by class; a run of a "
        + "version that drew it by the run's seed cannot go on",
      hint: "Start another run (split: random), or give the photos of each part in folders "
        + "train, val and test.")
  }

  /// The same photos with other numbers by which a byte becomes a value.
  package func normalized(by normalization: PixelNormalization) -> PhotoSet {
    var copy = self
    copy.normalization = normalization
    return copy
  }

  /// The memory of a decoder.
  package func makeScratch() -> AnyObject? { PhotoDecoder() }

  /// Reads, decodes and resamples a photo.
  ///
  /// - Throws: `missingFile`, `data` or `memory`, with the path.
  package func writePixels(
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

extension Dataset where Self == PhotoSet {
  /// The names of the classes, by label: their folders'.
  package var classNames: [String]? { self.photoClassNames }
}
