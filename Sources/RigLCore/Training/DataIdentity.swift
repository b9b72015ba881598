import Foundation

/// What a checkpoint says of the samples it was trained on, so that nobody goes on with others, or
/// takes one class for another, without noticing.
struct DataIdentity {
  /// Nil: unknown, and not compared.
  private let samples: Int?
  private let input: SampleShape
  private let classes: Int
  private let classNames: [String]?

  init(_ data: TrainingData) {
    samples = data.train.count
    input = data.train.sampleShape
    classes = data.train.classes
    classNames = DataIdentity.classNames(of: data.train)
  }

  /// What is known of a network that comes without its samples.
  init(input: SampleShape, classes: Int) {
    (samples, self.input, self.classes, classNames) = (nil, input, classes, nil)
  }

  /// The names of a dataset's classes, by label; nil if they have none but their numbers.
  static func classNames(of dataset: any Dataset) -> [String]? {
    (((dataset as? Subset)?.base ?? dataset) as? PhotoSet)?.classNames
  }

  /// The names in a checkpoint's metadata.
  static func classNames(in metadata: [String: String]) -> [String]? {
    metadata["class_names"].flatMap {
      try? JSONDecoder().decode([String].self, from: Data($0.utf8))
    }
  }

  /// As a checkpoint has it.
  var metadata: [String: String] {
    var metadata = ["input_shape": input.written, "classes": "\(classes)"]
    metadata["train_samples"] = samples.map { "\($0)" }
    if let classNames, let json = try? JSONEncoder().encode(classNames) {
      metadata["class_names"] = String(decoding: json, as: UTF8.self)
    }
    return metadata
  }

  /// - Throws: `RigLError(.data)` if a checkpoint's samples were others, as far as it says.
  func requireSame(as metadata: [String: String], path: String) throws(RigLError) {
    func require(_ what: String, _ saved: String?, _ own: String?) throws(RigLError) {
      guard let saved, let own, saved != own else { return }
      throw RigLError(
        .data, "\(path): was trained on \(what) \(saved); the data has \(own)",
        hint: "The data has changed. Bring it back, or start another run; --start-from takes the "
          + "weights of a dense one.")
    }
    try require("samples of shape", metadata["input_shape"], input.written)
    if let saved = DataIdentity.classNames(in: metadata), let classNames {
      let (before, now) = (saved.joined(separator: ", "), classNames.joined(separator: ", "))
      try require("the classes", before, now)
    }
    try require("a number of classes of", metadata["classes"], "\(classes)")
    try require("a number of samples of", metadata["train_samples"], self.metadata["train_samples"])
  }
}

extension SampleShape {
  /// As metadata has it: channels, height and width between commas.
  var written: String { "\(channels),\(height),\(width)" }
}
