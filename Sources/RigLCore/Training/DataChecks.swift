// What must be true of samples before a network is made for them: of those in files the readers have
// made sure, of samples of one's own nobody has.

extension TrainingData {
  /// Throws where no training can be made of the samples.
  ///
  /// - Throws: `RigLError(.data)` for a part without samples, parts of different shape or classes,
  ///   or other names of these, labels that are no class.
  func validate() throws(RigLError) {
    try train.validate("training")
    try validate(test, "test")
    if let validation { try validate(validation, "validation") }
  }

  private func validate(_ samples: any Dataset, _ part: String) throws(RigLError) {
    let (shape, own) = (train.sampleShape, samples.sampleShape)
    guard own == shape else {
      throw RigLError(
        .data,
        "the \(part) samples have shape \(own.written), the training samples \(shape.written) "
          + "(channels, height, width)", hint: "Bring them to one shape.")
    }
    guard samples.classes == train.classes else {
      throw RigLError(
        .data,
        "the \(part) samples have \(samples.classes) classes, the training samples "
          + "\(train.classes)",
        hint: "Both say how many there are in all, also where samples of some are missing.")
    }
    if let names = samples.classNames, let others = train.classNames, names != others {
      let place =
        names.indices.first { $0 >= others.count || names[$0] != others[$0] } ?? names.count
      func name(_ names: [String]) -> String {
        names.indices.contains(place) ? "named '\(names[place])'" : "without a name"
      }
      throw RigLError(
        .data,
        "class \(place) of the \(part) samples is \(name(names)), that of the training samples "
          + name(others), hint: "A label stands for the same class in all parts.")
    }
    try samples.validate(part)
  }
}

extension Dataset {
  /// Throws `RigLError(.data)` if there are no samples of a part, or what is said of them is
  /// impossible.
  fileprivate func validate(_ part: String) throws(RigLError) {
    guard count > 0 else {
      throw RigLError(
        .data, "there are \(count) \(part) samples", hint: "At least one is needed.")
    }
    try sampleShape.requirePositive("the \(part) samples")
    let classes = classes
    guard classes > 0 else {
      throw RigLError(.data, "the \(part) samples have \(classes) classes")
    }
    // So many at once, that no dataset is too large for a list of its labels.
    for begin in stride(from: 0, to: count, by: 65536) {
      let labels = labels(of: begin..<min(begin + 65536, count))
      for (place, label) in labels.enumerated() where label < 0 || label >= classes {
        throw .label(label, of: "\(part) sample \(begin + place)", classes: classes)
      }
    }
  }
}

extension Model {
  /// Throws `RigLError(.data)` unless the network can take a dataset's samples, and has an output for
  /// each of its classes.
  func requireFitting(_ dataset: any Dataset) throws(RigLError) {
    let (shape, own) = (inputShape, dataset.sampleShape)
    // Networks of vectors take an image as one vector.
    guard own == shape || (!layers.takesPlanes && own.count == shape.count) else {
      throw RigLError(
        .data,
        "samples of shape \(own.written); the network takes \(shape.written) (channels, height, "
          + "width)")
    }
    guard dataset.classes <= outputs else {
      throw RigLError(
        .data, "samples of \(dataset.classes) classes; the network has \(outputs) outputs",
        hint: "Its last layer needs an output for each class.")
    }
    if let names = dataset.classNames, names.count != dataset.classes {
      throw RigLError(
        .data, "\(names.count) class names for \(dataset.classes) classes",
        hint: "Give each class a name, or none.")
    }
  }
}

// MARK: - Values

extension Dataset {
  /// The error for the first value that is infinite or no number; nil where there is none, or where
  /// samples are pixels, whose values are always finite, or take long to read.
  ///
  /// Looked for only once a number has turned out not to be finite: nothing is looked through before.
  func firstBrokenValue(called sampleName: String) -> RigLError? {
    switch undivided.access {
    case .bytes, .pixels: return nil
    case .augmented(let samples): if samples.isReadAhead { return nil }
    case .values: break
    }
    var values = [Float](repeating: 0, count: sampleShape.count)
    for sample in 0..<count {
      var span = values.mutableSpan
      write(sample, into: &span)
      if let index = values.firstIndex(where: { !$0.isFinite }) {
        return .brokenValue(
          values[index], at: index, of: "\(sampleName) \(sample)", shape: sampleShape)
      }
    }
    return nil
  }
}

extension Tensor {
  /// The error for the first value of a batch of inputs that is infinite or no number; nil: there is
  /// none.
  func firstBrokenValue() -> RigLError? {
    for sample in 0..<samples {
      for index in 0..<shape.count where !self[sample, index].isFinite {
        return .brokenValue(
          self[sample, index], at: index, of: "sample \(sample) of the batch", shape: shape)
      }
    }
    return nil
  }
}

extension RigLError {
  /// The error for a value of a sample that is infinite or no number.
  static func brokenValue(
    _ value: Float, at index: Int, of sample: String, shape: SampleShape
  ) -> RigLError {
    let (x, row) = (index % shape.width, index / shape.width)
    let place =
      shape.height * shape.width == 1
      ? "" : " (channel \(row / shape.height), row \(row % shape.height), column \(x))"
    return RigLError(
      .data, "the input is not finite: value \(index)\(place) of \(sample) is \(value)",
      hint: "Replace what is missing. Values that are normalised by a deviation of "
        + "0, or are too large for a Float, become such.")
  }
}

extension SampleShape {
  /// Throws `RigLError(.data)` unless samples of this shape have values, and not too many to count.
  func requirePositive(_ samples: String) throws(RigLError) {
    let (rows, overflow) = channels.multipliedReportingOverflow(by: height)
    guard channels > 0, height > 0, width > 0, !overflow,
      !rows.multipliedReportingOverflow(by: width).overflow
    else {
      throw RigLError(
        .data,
        "\(samples): a shape of \(written) (channels, height, width), of which each must be positive, "
          + "and their product a number"
      )
    }
  }
}

extension RigLError {
  /// The error for a label that is no class.
  static func label(_ label: Int, of sample: String, classes: Int) -> RigLError {
    RigLError(
      .data, "label \(label) of \(sample), expected 0..<\(classes)", hint: "Labels count from 0.")
  }
}
