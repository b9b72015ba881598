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
    let kind = other.dataKind
    let isPhotos = kind == DataSource.photosName
    if isPhotos { copy.padTo = nil }
    if !isPhotos, kind != DataSource.syntheticColorName { copy.imageSize = nil }
    if isPhotos ? augmentation == .padCropFlip : augmentation == .randomResizedCrop {
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
      let named = DataSource.isName(configuration.data) ? nil : configuration.data
      return (folder ?? named).map { FileSystem.real(absolutePath($0)) }
    }
    return dataKind == other.dataKind && place(self, folder) == place(other, otherFolder)
  }
}
