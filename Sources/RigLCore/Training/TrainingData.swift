/// The samples of a run, by what they are for.
public struct TrainingData: Sendable {
  /// What weights are fitted to.
  public var train: any Dataset
  /// What is looked at while training, to choose by; nil: nothing.
  public var validation: (any Dataset)?
  /// What nothing is chosen by.
  public var test: any Dataset

  /// Samples of one's own.
  public init(train: any Dataset, validation: (any Dataset)? = nil, test: any Dataset) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  /// What pixels go through before the network sees them; nil if the samples are not pixels.
  public var normalization: PixelNormalization? {
    let samples = (train as? Subset)?.base ?? train
    return (samples as? any ByteDataset)?.normalization
      ?? (samples as? any PixelDataset)?.normalization
  }

  /// Loads what a configuration asks for, with its augmentation of the training samples.
  ///
  /// - Throws: `RigLError`, also where the parts cannot be as large as asked for.
  public static func load(
    _ configuration: Configuration, folder: String? = nil
  ) throws(RigLError) -> TrainingData {
    var source = try source(configuration, folder)
    if case .photos(let photos) = source { return try loadPhotos(configuration, photos) }
    if case .synthetic(var images) = source {
      if configuration.data == DataSource.syntheticColorName, let side = configuration.imageSize {
        images = .color(side: side)
      }
      // Generated only as far as they are asked for: a longer set begins with the shorter one's.
      images.trainCount = min(configuration.trainSamples ?? .max, images.trainCount)
      images.testCount = min(configuration.testSamples ?? .max, images.testCount)
      source = .synthetic(images)
    }
    let (allTrain, allTest) = try source.load()
    let transform = configuration.smallImageTransform
    let plain = transform.withoutChance
    var train = try transformed(allTrain, transform)
    // The same images once more, without what is drawn at random: held out ones are validated on.
    var plainTrain = try transformed(allTrain, plain)
    var test = try transformed(allTest, plain)
    if let count = configuration.trainSamples {
      train = try train.first(count)
      plainTrain = try plainTrain.first(count)
    }
    if let count = configuration.testSamples { test = try test.first(count) }
    if configuration.validateOnTest {
      return TrainingData(train: train, validation: test, test: test)
    }
    return TrainingData(
      train: try train.split(validation: configuration.validation).train,
      validation: try plainTrain.split(validation: configuration.validation).validation, test: test)
  }

  /// Loads the test samples alone.
  ///
  /// - Parameter classNames: a run's classes, by which a folder with `val` or `test` but without
  ///   `train` is read.
  /// - Throws: `RigLError`.
  public static func loadTest(
    _ configuration: Configuration, folder: String? = nil, classNames: [String]? = nil
  ) throws(RigLError) -> any Dataset {
    if case .photos(let photos) = try source(configuration, folder), let classNames,
      let part = photos.pathOfTestAlone
    {
      let test = try PhotoSet(
        path: part, classNames: classNames, transform: configuration.photoTransform.withoutChance,
        standardizesImages: configuration.perImageStandardization)
      guard let count = configuration.testSamples else { return test }
      return try Subset(test, 0..<test.count).some(count, seed: configuration.seed)
    }
    var configuration = configuration
    // How the others are split does not matter.
    configuration.validation = 0
    return try load(configuration, folder: folder).test
  }

  private static func source(
    _ configuration: Configuration, _ folder: String?
  ) throws(RigLError) -> DataSource {
    guard configuration.data == "idx" else {
      return try DataSource(name: configuration.data, folder: folder)
    }
    guard let folder else {
      throw RigLError(
        .configuration, "data idx: no folder given",
        hint: "Give it by data_folder, or --data PATH.")
    }
    return .folder(ImageFolder(path: folder))
  }

  private static func transformed(
    _ images: ImageSet, _ transform: SmallImageTransform
  ) throws(RigLError) -> any Dataset {
    if transform.isIdentity { return images }
    return try TransformedImages(images, transform)
  }

  /// Photos lie by class, so that parts of them are drawn at random, by the configuration's seed.
  private static func loadPhotos(
    _ configuration: Configuration, _ folder: PhotoFolder
  ) throws(RigLError) -> TrainingData {
    let parts = try folder.load(
      training: configuration.photoTransform,
      standardizes: configuration.perImageStandardization, seed: configuration.seed)
    let seed = configuration.seed
    var (train, plainTrain) = (parts.train, parts.plainTrain)
    if let count = configuration.trainSamples {
      train = try train.some(count, seed: seed)
      plainTrain = try plainTrain.some(count, seed: seed)
    }
    var test = parts.test
    if let count = configuration.testSamples { test = try test.some(count, seed: seed) }
    if configuration.validateOnTest {
      return TrainingData(train: train, validation: test, test: test)
    }
    if let validation = parts.validation {
      return TrainingData(train: train, validation: validation, test: test)
    }
    let (count, choice) = (configuration.validation, ValidationChoice.random(seed: seed))
    return TrainingData(
      train: try train.split(validation: count, choice: choice).train,
      validation: try plainTrain.split(validation: count, choice: choice).validation, test: test)
  }
}

extension Configuration {
  /// What photos go through in training.
  var photoTransform: PhotoTransform {
    PhotoTransform(side: imageSize ?? 224, isRandom: augmentation == .randomResizedCrop)
  }

  /// What small images go through in training; see also ``SmallImageTransform/withoutChance``.
  public var smallImageTransform: SmallImageTransform {
    let crops = augmentation == .padCropFlip
    return SmallImageTransform(
      padTo: padTo, cropPadding: crops ? cropPadding : 0, flips: crops,
      standardizes: perImageStandardization)
  }
}
