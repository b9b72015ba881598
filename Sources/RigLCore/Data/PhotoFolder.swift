/// A folder of photos by class: `train/CLASS/…` and `val/CLASS/…` or `test/CLASS/…`, or `CLASS/…`
/// alone.
///
/// Classes are numbered by name. With both `val` and `test`, the first are the validation samples.
/// Without either, a tenth of the photos, drawn by a seed, are the test samples.
public struct PhotoFolder: Hashable, Sendable {
  /// The folder.
  public var path: String

  /// A folder of photos.
  public init(path: String) { self.path = path }

  /// Photos by what they are for.
  public struct Parts: Sendable {
    /// Photos to train on, as training sees them.
    public let train: Subset
    /// The same photos as evaluation sees them.
    public let plainTrain: Subset
    /// Photos of a validation folder, if there is one.
    public let validation: PhotoSet?
    /// Photos to test on.
    public let test: any Dataset
  }

  /// Whether a folder looks like one of photos: it holds `train`, or folders with images.
  static func isOne(at path: String) -> Bool {
    if folderExists(at: "\(path)/train") { return true }
    guard let names = try? folderNames(at: path) else { return false }
    return names.contains { folderExists(at: "\(path)/\($0)") }
  }

  /// The folder of test samples where there are none to train on: `test`, or else `val`.
  var pathOfTestAlone: String? {
    guard !folderExists(at: "\(path)/train") else { return nil }
    return ["\(path)/test", "\(path)/val"].first { folderExists(at: $0) }
  }

  /// Lists the photos; none is read.
  ///
  /// - Parameters:
  ///   - training: how training sees a photo; evaluation sees the middle of it.
  ///   - standardizes: whether each image is brought to mean 0 and deviation 1 by its own pixels.
  ///   - seed: what chooses test samples where no folder does.
  /// - Throws: `missingFile` or `data`, with the path.
  public func load(
    training: PhotoTransform, standardizes: Bool = false, seed: UInt64
  ) throws(RigLError) -> Parts {
    guard folderExists(at: path) else {
      throw RigLError(.missingFile, "\(path): there is no such folder")
    }
    let plain = training.withoutChance
    guard folderExists(at: "\(path)/train") else {
      let all = try PhotoSet(path: path, transform: training, standardizesImages: standardizes)
      try PhotoFolder.requireClasses(all, path)
      return split(all, plain: plain, seed)
    }
    let train = try PhotoSet(
      path: "\(path)/train", transform: training, standardizesImages: standardizes)
    try PhotoFolder.requireClasses(train, "\(path)/train")
    var plainTrain = train
    plainTrain.transform = plain
    var held: [PhotoSet] = []
    for name in ["val", "test"] where folderExists(at: "\(path)/\(name)") {
      held.append(
        try PhotoSet(
          path: "\(path)/\(name)", classNames: train.classNames, transform: plain,
          standardizesImages: standardizes))
    }
    guard let test = held.last else {
      throw RigLError(
        .missingFile, "\(path): there is a folder train, but neither val nor test",
        hint: "Give the images to test on in val or test, or all of them in CLASS folders.")
    }
    return Parts(
      train: Subset(train, 0..<train.count), plainTrain: Subset(plainTrain, 0..<train.count),
      validation: held.count == 2 ? held[0] : nil, test: test)
  }

  /// Of a single class nothing can be learned, though every prediction would be right.
  private static func requireClasses(_ photos: PhotoSet, _ path: String) throws(RigLError) {
    guard photos.classes < 2 else { return }
    throw RigLError(
      .data, "\(path): there is only one class, \(photos.classNames.joined())",
      hint: "Each class should have a folder of its own with its images.")
  }

  private func split(
    _ all: PhotoSet, plain: PhotoTransform, _ seed: UInt64
  ) -> Parts {
    // There are two classes at least, and each has an image.
    let count = (all.count + 9) / 10
    var evaluated = all
    evaluated.transform = plain
    // Layer 1: the validation split draws by layer 0.
    let held = CounterRandom(seed: seed, purpose: .dataSplit, layer: 1)
      .sampleWithoutReplacement(count: count, of: Int64(all.count)).map { Int($0) }
    var isHeld = [Bool](repeating: false, count: all.count)
    for index in held { isHeld[index] = true }
    let rest = (0..<all.count).filter { !isHeld[$0] }
    return Parts(
      train: Subset(all, indices: rest), plainTrain: Subset(evaluated, indices: rest),
      validation: nil, test: Subset(evaluated, indices: held))
  }
}
