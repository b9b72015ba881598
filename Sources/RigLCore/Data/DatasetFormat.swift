/// A kind of data that settings name: how it is recognised, what is known of it before it is loaded,
/// and how it is loaded.
///
/// A format is a value: those that the library has are the lines of a table, and a program
/// adds its own by ``register(_:)``. Its name can then stand where `cifar-10` can.
///
///     struct Spots: Dataset {
///       let count = 4
///       let sampleShape = SampleShape(channels: 1)
///       let classes = 2
///       func label(of sample: Int) -> Int { sample % 2 }
///       func write(_ sample: Int, into values: inout MutableSpan<Float>) {
///         values[0] = Float(label(of: sample))
///       }
///     }
///     var spots = DatasetFormat("spots") { (request) throws(RigLError) in
///       DatasetParts(train: Spots(), test: Spots())
///     }
///     spots.classNames = ["dark", "bright"]
///     DatasetFormat.register(spots)
///     var configuration = Configuration()
///     configuration.data = "spots"
///     configuration.validation = 0
///     let data = try TrainingData.load(configuration)
///     print(data.train.count, "spots")
public struct DatasetFormat: Sendable {
  /// What a format has to do with a folder of files.
  public enum Folder: Hashable, Sendable {
    /// Its data lie in none.
    case unused
    /// Its data have a usual place, and may be elsewhere.
    case optional
    /// Its data lie in a folder that has to be named; what to do where it is not.
    case required(hint: String)
  }

  /// What settings may do to samples before a network sees them.
  package enum Preparation: Hashable, Sendable {
    /// Nothing: they are no images.
    case none
    /// Small images: `pad_to` and `pad_crop_flip`.
    case padded
    /// Pictures of any size: `image_size` and `random_resized_crop`.
    case resized
  }

  /// How samples are loaded.
  package typealias Loader = @Sendable (DatasetRequest) throws(RigLError) -> DatasetParts

  /// The name that settings call it by.
  package let name: String
  /// What it has to do with a folder.
  public var folder = Folder.unused
  /// Whether a folder holds such data, by the names in it; nil: no folder says so of itself.
  package var recognizes: (@Sendable (_ folder: String) -> Bool)?
  /// What settings may do to its samples.
  package var preparation = Preparation.none
  /// Whether `image_size` says how large its samples are.
  package var takesImageSize = false
  /// The shape of a sample before it is padded, as far as it is known without loading any.
  package var sampleShape: @Sendable (Configuration) -> SampleShape? = { _ in nil }
  /// The numbers by which its pixels become values; nil: they are computed from its training pixels,
  /// or its samples are no pixels.
  package var normalization: PixelNormalization?
  /// The names of the classes, by label, of data whose files do not have them.
  public var classNames: [String]?
  /// Loads all samples.
  package var load: Loader
  /// Loads those to test on alone; by default all are loaded.
  package var loadTest: @Sendable (DatasetRequest) throws(RigLError) -> any Dataset
  /// Whether lists of names have it: not where only a folder of such data is named.
  var isListed = true
  /// Loads both sets of images that are held in memory; nil: they are not.
  private(set) var loadImages: ImageLoader?

  /// A format by how its samples are loaded.
  public init(
    _ name: String,
    load: @escaping @Sendable (DatasetRequest) throws(RigLError) -> DatasetParts
  ) {
    self.name = name
    self.load = load
    loadTest = { (request) throws(RigLError) in try load(request).test }
  }
}

/// What a format is to load.
public struct DatasetRequest: Sendable {
  /// The settings; their ``Configuration/data`` is the format's name.
  public let configuration: Configuration
  /// The folder of the files; nil: the usual one, or none.
  public let folder: String?
  /// How pixels become values where only samples to test on are asked for; nil: the training samples
  /// say it. Samples need not follow it: who asked does so afterwards.
  package var normalization: PixelNormalization?
  /// The names of a run's classes, by label, where samples are to be tested on it.
  package var classNames: [String]?
  /// The number of a run's classes, where neither names nor files say it.
  package var classes: Int?

  /// Settings, and where the files are.
  package init(_ configuration: Configuration, folder: String? = nil) {
    (self.configuration, self.folder) = (configuration, folder)
  }
}

/// The samples of a format, by what they are for, before as many are taken as settings ask for.
public struct DatasetParts: Sendable {
  /// Samples to train on, as training sees them.
  package let train: any Dataset
  /// The same samples as evaluation sees them: some may be held out for validation.
  package let plainTrain: any Dataset
  /// Samples to validate on that are none of the training samples, if there are some.
  package let validation: (any Dataset)?
  /// Samples to test on.
  package let test: any Dataset

  /// Samples by what they are for; training samples that evaluation sees as they are need be given
  /// once only.
  public init(
    train: any Dataset, plainTrain: (any Dataset)? = nil, validation: (any Dataset)? = nil,
    test: any Dataset
  ) {
    self.train = train
    self.plainTrain = plainTrain ?? train
    self.validation = validation
    self.test = test
  }
}

// MARK: - Images in memory

extension DatasetFormat {
  /// How both sets of images in memory are loaded.
  package typealias ImageLoader =
    @Sendable (DatasetRequest) throws(RigLError) -> (train: ImageSet, test: ImageSet)

  /// A format of small images that are held in memory: settings pad, crop and mirror them.
  ///
  /// - Parameters:
  ///   - name: what ``Configuration/data`` calls the format.
  ///   - images: loads both sets.
  ///   - testImages: loads the test set alone, where the request says how its pixels become values;
  ///     nil: both are loaded.
  package init(
    _ name: String, images: @escaping ImageLoader,
    testImages: (@Sendable (DatasetRequest) throws(RigLError) -> ImageSet)? = nil
  ) {
    self.init(name) { (request) throws(RigLError) in
      let (train, test) = try images(request)
      let transform = request.configuration.smallImageTransform
      let plain = transform.withoutChance
      return try DatasetParts(
        train: train.transformed(by: transform), plainTrain: train.transformed(by: plain),
        test: test.transformed(by: plain))
    }
    preparation = .padded
    loadImages = images
    loadTest = { (request) throws(RigLError) in
      let needsTraining = request.normalization == nil || testImages == nil
      let test = try needsTraining ? images(request).test : testImages?(request)
      guard let test else { trap("images that nothing loads") }
      return try test.transformed(by: request.configuration.smallImageTransform.withoutChance)
    }
  }
}

extension ImageSet {
  /// The images after a transform; themselves where it changes nothing.
  fileprivate func transformed(by transform: SmallImageTransform) throws(RigLError) -> any Dataset {
    if transform.isIdentity { return self }
    return try TransformedImages(self, transform)
  }
}
