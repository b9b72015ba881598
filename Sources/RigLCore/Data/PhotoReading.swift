/// How folders of photos were read, for a user to see that it is what was meant.
public struct PhotoReading: Hashable, Sendable {
  /// A line that says which folders are classes, and what their photos are for; nil: the samples are
  /// no photos.
  public let summary: String?
  /// What of the folders is not used, a line each.
  public let remarks: [String]

  /// Of the samples of a training.
  public init(_ data: TrainingData) {
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
    guard let test, test.folder != train.folder else {
      summary = "\(train.folder): \(classes); some photos are held out to test on"
      return
    }
    var text = "trains on \(train.folder): \(classes)"
    if let validation, validation.folder != train.folder {
      text += "; validates on \(validation.folder)"
    }
    summary = text + "; tests on \(test.folder)"
  }

  /// Of samples to test on alone.
  public init(test: any Dataset) {
    let photos = PhotoReading.photos(test)
    summary = photos.map { "tests on \($0.folder): \(PhotoReading.classes($0))" }
    remarks = photos?.remarks ?? []
  }

  private static func photos(_ dataset: any Dataset) -> PhotoSet? {
    ((dataset as? Subset)?.base ?? dataset) as? PhotoSet
  }

  private static func classes(_ photos: PhotoSet) -> String {
    counted(photos.classes, "class", plural: "classes") + " (\(listed(photos.classNames)))"
  }
}
