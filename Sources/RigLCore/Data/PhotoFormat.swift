extension DatasetFormat {
  /// Pictures in the folders of their classes, as far as they are known without being decoded:
  /// another product has what decodes them, and registers a format that loads them in this one's
  /// place.
  package static let photos: DatasetFormat = {
    var format = DatasetFormat("photos") { (request) throws(RigLError) in
      // What is no folder of photos is mistaken for one more often than the product is missing.
      try MistakenFile.requireNoFile(at: request.folder ?? "")
      throw PictureDecoder.missing("data photos")
    }
    format.folder = .required(
      hint: "Name a folder with train/CLASS/… and val/CLASS/…, or CLASS/… alone, by data_folder or "
        + "--data PATH.")
    // Also folders whose names are none: they are refused by what they are called.
    format.recognizes = { path in
      (try? FileSystem.entries(in: path))?.contains(where: \.isFolder) ?? false
    }
    format.preparation = .resized
    format.takesImageSize = true
    format.sampleShape = { configuration in
      let side = configuration.imageSize ?? 224
      return SampleShape(channels: 3, height: side, width: side)
    }
    format.normalization = .imageNet
    return format
  }()
}

/// What decodes pictures, if a product that does has been registered.
package struct PictureDecoder: Sendable {
  /// Makes of a JPEG or PNG file what an evaluation sees: `side`² pixels of three channels.
  ///
  /// - Parameters:
  ///   - cutsBorders: whether the middle is cut out, as of photos, and not the whole picture taken.
  /// - Returns: the pixels, channel by channel, and the longer side of the picture.
  /// - Throws: `data`, or `memory` where there is not enough.
  package typealias Decode =
    @Sendable (_ file: [UInt8], _ name: String, _ side: Int, _ cutsBorders: Bool) throws(RigLError)
    -> (pixels: [UInt8], longest: Int)

  private static let registered = Registered<PictureDecoder?>(nil)

  private let decode: Decode

  /// Has pictures decoded from now on.
  package static func register(_ decode: @escaping Decode) {
    registered.change { $0 = PictureDecoder(decode: decode) }
  }

  /// Decodes a picture by what is registered.
  ///
  /// - Throws: as ``Decode``; `configuration` where nothing is registered.
  static func decode(
    _ file: [UInt8], name: String, side: Int, cutsBorders: Bool
  ) throws(RigLError) -> (pixels: [UInt8], longest: Int) {
    guard let decoder = registered.value else { throw missing(name) }
    return try decoder.decode(file, name, side, cutsBorders)
  }

  /// The error for pictures of a program that has nothing to decode them.
  package static func missing(_ what: String) -> RigLError {
    RigLError(
      .configuration,
      "\(what): pictures are decoded by the product RigLImages, which is not in use",
      hint: "Add .product(name: \"RigLImages\", package: \"swift-rigl\") to the target, import "
        + "RigLImages, and call ImageFormats.register() first.")
  }
}
