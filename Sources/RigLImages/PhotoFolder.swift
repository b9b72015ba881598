import RigLCore

/// A folder of photos by class: `train/CLASS/…` and `val/CLASS/…` or `test/CLASS/…`, or `CLASS/…`
/// alone.
///
/// Parts may also be called `training`, `valid`, `validation`, `dev` and `testing`. A folder of such
/// a name is a part if it holds folders, and a class if it holds photos.
///
/// Classes are numbered by name. With both `val` and `test`, the first are the validation samples.
/// Without folders for parts, the test samples are those photos, about a tenth, whose paths CLASS/NAME
/// have a hash that says so: no other photo changes that. A class of which there would be none gives
/// the one with the smallest hash.
package struct PhotoFolder: Hashable, Sendable {
  /// The folder's path.
  package var path: String

  /// A folder of photos.
  package init(path: String) { self.path = path }

  /// Photos by what they are for.
  package struct Parts: Sendable {
    /// Photos to train on, as training sees them.
    package let train: Subset
    /// The training photos without augmentation, as evaluation sees them.
    package let plainTrain: Subset
    /// Photos of a validation folder, if there is one.
    package let validation: PhotoSet?
    /// Photos to test on.
    package let test: any Dataset
  }

  /// The share of photos to test on where no folder says which.
  static let testShare = 0.1

  /// Lists the photos; none is read.
  ///
  /// - Parameters:
  ///   - training: how training sees a photo; evaluation sees the middle of it.
  ///   - standardizes: whether each image is brought to mean 0 and deviation 1 by its own pixels.
  ///   - rule: how test samples are chosen where no folder says which.
  /// - Throws: `missingFile` or `data`, with the path.
  package func load(
    training: PhotoTransform, standardizes: Bool = false, split rule: Configuration.Split = .random
  ) throws(RigLError) -> Parts {
    // Of a folder's own names, which are classes, nothing is to be guessed.
    if fileExists(at: path) { try MistakenFile.requireNoFile(at: path) }
    guard folderExists(at: path) else {
      throw RigLError(
        .missingFile, "\(path): there is no such folder", hint: DatasetFormat.movedHint)
    }
    let plain = training.withoutChance
    let layout = try PhotoLayout(of: path)
    guard !layout.parts.isEmpty else {
      let all = try PhotoSet(path: path, transform: training, standardizesImages: standardizes)
      try PhotoFolder.requireClasses(all, path)
      return try split(all, plain: plain, by: rule)
    }
    guard let part = layout.parts[.train] else {
      throw RigLError(
        .missingFile, "\(path): there are folders of parts, but none to train on",
        hint: "Give the images to train on in train/CLASS folders.")
    }
    var train = try PhotoSet(
      path: "\(path)/\(part)", transform: training, standardizesImages: standardizes)
    train.remarks += layout.remarks
    try PhotoFolder.requireClasses(train, "\(path)/\(part)")
    var plainTrain = train
    plainTrain.transform = plain
    var held: [PhotoSet] = []
    for name in [layout.parts[.validation], layout.parts[.test]].compactMap({ $0 }) {
      held.append(
        try PhotoSet(
          path: "\(path)/\(name)", classNames: train.classNames, transform: plain,
          standardizesImages: standardizes))
    }
    guard let test = held.last else {
      throw RigLError(
        .missingFile, "\(path): there is a folder \(part), but neither val nor test",
        hint: "Give the images to test on in val or test, or all of them in CLASS folders.")
    }
    return try Parts(
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

  /// Lists the photos to test on, without those to train on if a folder says which.
  ///
  /// - Parameters:
  ///   - classNames: the classes by label; nil: those of the folder's training photos.
  /// - Throws: as ``load(training:standardizes:split:)``; `data` for photos of other classes.
  func loadTest(
    classNames: [String]?, transform: PhotoTransform, standardizes: Bool = false,
    split rule: Configuration.Split = .random
  ) throws(RigLError) -> any Dataset {
    guard let classNames, folderExists(at: path) else {
      return try load(training: transform, standardizes: standardizes, split: rule).test
    }
    let parts = try PhotoLayout(of: path).parts
    let held = parts[.test] ?? parts[.validation]
    guard held != nil || parts.isEmpty else {
      return try load(training: transform, standardizes: standardizes, split: rule).test
    }
    let photos = try PhotoSet(
      path: held.map { "\(path)/\($0)" } ?? path, classNames: classNames,
      transform: transform.withoutChance, standardizesImages: standardizes)
    return held == nil ? try split(photos, plain: photos.transform, by: rule).test : photos
  }

  private func split(
    _ all: PhotoSet, plain: PhotoTransform, by rule: Configuration.Split
  ) throws(RigLError) -> Parts {
    var evaluated = all
    evaluated.transform = plain
    evaluated.isDivided = true
    // Where there are three, one can still be held out for validation.
    let (held, rest) = try SampleDraw(.test, of: all, by: rule)
      .holdingOut(share: PhotoFolder.testShare, leaving: 2)
    return try Parts(
      train: Subset(all, indices: rest), plainTrain: Subset(evaluated, indices: rest),
      validation: nil, test: Subset(evaluated, indices: held))
  }
}
