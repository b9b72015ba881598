import RigLCore

/// How folders of photos were read, for a user to see that it is what was meant.
package struct PhotoReading: Hashable, Sendable {
  /// A line that says which folders are classes, and what their photos are for; nil: the samples are
  /// no photos.
  package let summary: String?
  /// The unused files and folders, a line each.
  package let remarks: [String]

  /// Of the samples of a training.
  package init(_ data: TrainingData) {
    let (train, test) = (PhotoReading.photos(data.train), PhotoReading.photos(data.test))
    let validation = data.validation.flatMap(PhotoReading.photos)
    guard let train else {
      (summary, remarks) = (nil, [])
      return
    }
    var lines: [String] = []
    for photos in [train, validation, test].compactMap({ $0 }) {
      lines += photos.remarks.filter { !lines.contains($0) }
    }
    remarks = lines
    let classes = PhotoReading.classes(train)
    guard let test else {
      summary = "trains on \(train.folder): \(classes)"
      return
    }
    // Those to validate on are the test samples where `validate_on_test` says so.
    let held = validation?.folder == train.folder ? data.validation : nil
    if test.folder == train.folder {
      var text = "\(train.folder): \(classes); of its \(counted(train.count, "photo")), "
      text += "\(data.test.count) are held out to test on"
      if let held, !PhotoReading.areSame(held, data.test) {
        text += " and \(held.count) to validate on"
      }
      summary = text
      return
    }
    var text = "trains on \(train.folder): \(classes)"
    if let held {
      text += "; validates on \(held.count) of its \(counted(train.count, "photo"))"
    } else if let validation {
      text += "; validates on \(validation.folder)"
    }
    summary = text + "; tests on \(test.folder)"
  }

  /// Of samples to test on alone.
  package init(test: any Dataset) {
    guard let photos = PhotoReading.photos(test) else {
      (summary, remarks) = (nil, [])
      return
    }
    let classes = PhotoReading.classes(photos)
    remarks = photos.remarks
    guard test.count < photos.count else {
      summary = "tests on \(photos.folder): \(classes)"
      return
    }
    let part = "tests on \(test.count) of \(counted(photos.count, "photo")) of \(photos.folder)"
    summary =
      photos.isDivided
      ? "\(part), held out from training: \(classes); to test on all of a folder's photos, put its "
        + "classes in a folder test/" : "\(part): \(classes)"
  }

  private static func photos(_ dataset: any Dataset) -> PhotoSet? {
    dataset.undivided as? PhotoSet
  }

  /// Whether two parts of a set are the same samples.
  private static func areSame(_ one: any Dataset, _ other: any Dataset) -> Bool {
    guard let one = one.selection, let other = other.selection, one.count == other.count else {
      return false
    }
    return (0..<one.count).allSatisfy { one.baseIndex(of: $0) == other.baseIndex(of: $0) }
  }

  private static func classes(_ photos: PhotoSet) -> String {
    let names = photos.presentClasses
    return counted(names.count, "class", plural: "classes") + " (\(firstOf(names)))"
  }
}
