import RigLCore

/// JPEG and PNG for a program: folders of photos as data of a training, and pictures to predict.
///
///     import RigLImages
///
///     ImageFormats.register()
///     var configuration = Configuration()
///     configuration.data = "photos"
///     print(configuration.data, "may be trained on")
public enum ImageFormats {
  /// Has settings with `data: photos` load folders of photos from now on, and `SampleFile` take
  /// pictures. To be called once, at a program's start.
  public static func register() {
    DatasetFormat.register(.photoFolders)
    PictureDecoder.register(decode)
  }

  private static func decode(
    _ file: [UInt8], _ name: String, _ side: Int, _ cutsBorders: Bool
  ) throws(RigLError) -> (pixels: [UInt8], longest: Int) {
    var transform = PhotoTransform(side: side, isRandom: false)
    if !cutsBorders { transform.resizedSide = side }
    let draws = SampleContext(seed: 0, epoch: 0).draws(for: 0)
    var longest = 0
    var pixels = [UInt8](repeating: 0, count: 3 * side * side)
    var span = pixels.mutableSpan
    try PhotoDecoder().decode(file.span, name: name, side: side, into: &span) { width, height in
      longest = max(width, height)
      return transform.crop(width: width, height: height, draws: draws)
    }
    return (pixels, longest)
  }
}

extension DatasetFormat {
  /// Folders of photos by class.
  static let photoFolders: DatasetFormat = {
    @Sendable func transform(_ configuration: Configuration) -> PhotoTransform {
      PhotoTransform(
        side: configuration.imageSize ?? 224,
        isRandom: configuration.augmentation == .randomResizedCrop)
    }
    var format = photos
    format.load = { (request) throws(RigLError) in
      let configuration = request.configuration
      let parts = try PhotoFolder(path: request.folder ?? "").load(
        training: transform(configuration), standardizes: configuration.perImageStandardization,
        split: configuration.split)
      return DatasetParts(
        train: parts.train, plainTrain: parts.plainTrain, validation: parts.validation,
        test: parts.test)
    }
    format.loadTest = { (request) throws(RigLError) in
      let configuration = request.configuration
      return try PhotoFolder(path: request.folder ?? "").loadTest(
        classNames: request.classNames, transform: transform(configuration),
        standardizes: configuration.perImageStandardization, split: configuration.split)
    }
    return format
  }()
}
