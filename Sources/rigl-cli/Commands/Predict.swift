import ArgumentParser
import RigLCore

/// `rigl predict`
struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Classify the samples of files, or the pictures of folders.",
    discussion: """
      A file is a JPEG or PNG picture; an IDX file of images, gzip or not; or text: one sample a line, \
      its values between commas or white space. Values are pixels from 0 to 255, which are normalised \
      as they were in training. What a file is, its first bytes say, not its name.

      Of a folder, and the folders in it, all JPEG and PNG pictures are classified; those that cannot \
      be read are named and left out, and the exit status is then 65. Networks for grey images see the \
      luma of colour pictures; networks for colours see grey pictures as three equal channels.

      Prints sample, class, probability, where classes have names the name, and the file as CSV; with \
      --json one object a line. Samples are numbered from 0, through all files.
      """)

  @OptionGroup var source: RunArguments

  @Argument(help: ArgumentHelp("Files and folders; - is standard input.", valueName: "file"))
  var files: [String]

  @Flag(help: "The values of a text are what the network sees, not pixels.")
  var normalized = false

  @Flag(help: "Print the logits too, one for each class.")
  var logits = false

  @OptionGroup var threads: ThreadsArguments
  @OptionGroup var printing: PrintingArguments

  private struct Line: Encodable {
    let sample: Int
    let `class`: Int
    let name: String?
    let probability: Double
    let file: String
    let logits: [Float]?
  }

  /// A file to classify.
  private struct Input {
    let path: String
    /// Whether it was found in a folder: it is then left out where it cannot be read.
    let isListed: Bool
  }

  func run() throws {
    let inputs = try listedInputs()
    // A picture is a file, and each file is looked at alone.
    let batch = inputs.allSatisfy { SampleFile.isPicture(at: $0.path) } ? 1 : nil
    let saved = try source.open(threads: threads, batch: batch, foldsBatchNorm: true, printing)
    // Goes out with the first samples, not before a mistake in them.
    var text = printing.json ? "" : header(saved)
    var (number, unread) = (0, 0)
    for input in inputs {
      let samples: SampleFile
      do throws(RigLError) {
        samples = try open(input.path, for: saved)
      } catch {
        guard input.isListed, [.data, .missingFile].contains(error.kind) else { throw error }
        printing.warn(["left out: \(error.what)"], evenIfQuiet: true)
        unread += 1
        continue
      }
      for begin in stride(from: 0, to: samples.count, by: saved.model.capacity) {
        let range = begin..<min(begin + saved.model.capacity, samples.count)
        let all = try saved.logits(try samples.samples(range))
        for (prediction, logits) in zip(try SavedRun.predictions(ofLogits: all), all) {
          text += try line(number, prediction, logits, saved.classNames, input.path)
          number += 1
        }
        try write(text)
        text = ""
      }
    }
    try write(text)
    guard unread == 0 else {
      throw RigLError(
        .data, "\(grouped(unread)) of \(grouped(inputs.count)) files could not be read")
    }
  }

  /// What was given, and the pictures of the folders among it.
  private func listedInputs() throws -> [Input] {
    var inputs: [Input] = []
    for file in files {
      guard file != "-", PictureListing.isFolder(file) else {
        inputs.append(Input(path: file, isListed: false))
        continue
      }
      let listing = try PictureListing(file)
      printing.warn(listing.remark.map { [$0] } ?? [])
      inputs += listing.paths.map { Input(path: $0, isListed: true) }
    }
    return inputs
  }

  private func open(_ file: String, for saved: SavedRun) throws(RigLError) -> SampleFile {
    guard file == "-" else {
      return try SampleFile(contentsOf: file, for: saved, areNormalized: normalized)
    }
    return try SampleFile(
      System.standardInput(), name: "standard input", for: saved, areNormalized: normalized)
  }

  private func header(_ saved: SavedRun) -> String {
    let names = logits ? (0..<saved.classes).map { ",logit\($0)" } : []
    let className = saved.classNames == nil ? "" : ",name"
    return "sample,class,probability\(className),file\(names.joined())\n"
  }

  private func line(
    _ sample: Int, _ prediction: Prediction, _ logits: [Float], _ classNames: [String]?,
    _ file: String
  ) throws -> String {
    let name = classNames?[prediction.label]
    guard printing.json else {
      let numbers = self.logits ? logits.map { ",\($0)" } : []
      let texts = [name, file].compactMap(\.self).map { ",\(quoted($0))" }.joined()
      return "\(sample),\(prediction.label),\(fixed(prediction.probability, 6))\(texts)"
        + "\(numbers.joined())\n"
    }
    let line = Line(
      sample: sample, class: prediction.label, name: name, probability: prediction.probability,
      file: file, logits: self.logits ? logits : nil)
    return try jsonText(line, onOneLine: true) + "\n"
  }

  /// A text as a field of CSV.
  private func quoted(_ text: String) -> String {
    "\"\(text.printable().replacing("\"", with: "\"\""))\""
  }

  private func write(_ text: String) throws {
    if printing.json || !printing.quiet { try Output.standard.write(text) }
  }
}
