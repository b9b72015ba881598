// The settings that a training has of the run that it starts from.

extension Configuration {
  /// The settings of a training that starts from the network of one with these and does not say
  /// otherwise: all but ``updateEnd``, which is a step of the other training's length.
  package var inherited: Configuration {
    var copy = self
    copy.updateEnd = nil
    return copy
  }

  /// The same for a training on other data: without numbers of the samples there, and without what
  /// the data's images cannot go through.
  ///
  /// - Parameter other: a configuration that names the training's data.
  package func inherited(onDataOf other: Configuration) -> Configuration {
    var copy = inherited
    let usual = Configuration()
    (copy.trainSamples, copy.testSamples, copy.split) = (nil, nil, usual.split)
    // To hold out none is no number of the samples there.
    if copy.validation != 0 { copy.validation = nil }
    // What samples that were given in Swift go through, settings do not say.
    let format = other.dataFormat
    let preparation = format?.preparation ?? .padded
    if preparation != .padded { copy.padTo = nil }
    if format?.takesImageSize != true { copy.imageSize = nil }
    let isPossible =
      switch augmentation {
      case .none: true
      case .padCropFlip: preparation == .padded
      case .randomResizedCrop: preparation == .resized
      }
    if !isPossible {
      copy.augmentation = usual.augmentation
      (copy.cropPadding, copy.cropPaddingMode) = (usual.cropPadding, usual.cropPaddingMode)
    }
    return copy
  }

  /// Whether two configurations have the same data: its name, and the folder of its files.
  ///
  /// - Parameters:
  ///   - folder: the folder of this one's data, if it is named apart from it.
  ///   - otherFolder: that of the other one's.
  package func hasData(
    of other: Configuration, folder: String?, otherFolder: String?
  ) -> Bool {
    func place(_ configuration: Configuration, _ folder: String?) -> String? {
      let named = DatasetFormat.isName(configuration.data) ? nil : configuration.data
      return (folder ?? named).map { FileSystem.real(absolutePath($0)) }
    }
    return dataKind == other.dataKind && place(self, folder) == place(other, otherFolder)
  }
}
