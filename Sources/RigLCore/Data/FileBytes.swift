import Foundation

/// Reads a whole regular file of at most `limit` bytes.
func fileBytes(at path: String, limit: Int) throws(RigLError) -> [UInt8] {
  let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
  let attributes: [FileAttributeKey: Any]
  do {
    attributes = try FileManager.default.attributesOfItem(atPath: url.path)
  } catch {
    throw RigLError(.missingFile, "\(path): there is no such file, or it cannot be looked at")
  }
  // Devices and pipes have no length that could be checked, and may never end.
  guard attributes[.type] as? FileAttributeType == .typeRegular else {
    throw RigLError(.missingFile, "\(path): not a regular file")
  }
  let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
  guard size <= limit else {
    throw RigLError(.data, "\(path): \(size) bytes, more than the \(limit) that are accepted")
  }
  try requireAllocation(bytes: size, for: path)
  let bytes = try naming(.missingFile, "\(path): cannot be read") { () throws(SystemError) in
    try FileSystem.contents(of: url.path, size: size, limit: limit)
  }
  if MistakenFile.isPointer(bytes.span) { throw MistakenFile.pointer(path) }
  return bytes
}

/// Whether there is a file (not a folder) at a path.
package func fileExists(at path: String) -> Bool {
  var isFolder = ObjCBool(false)
  return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    && !isFolder.boolValue
}

/// Whether there is a folder at a path.
package func folderExists(at path: String) -> Bool {
  var isFolder = ObjCBool(false)
  return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    && isFolder.boolValue
}

/// A path that means the same from any working directory.
///
/// - Parameter base: the folder that a relative path starts from; nil: the working directory.
package func absolutePath(_ path: String, relativeTo base: String? = nil) -> String {
  let base = base.map { URL(fileURLWithPath: $0, isDirectory: true) }
  return URL(fileURLWithPath: path, relativeTo: base).standardizedFileURL.path
}

/// The names in a folder in the order of their bytes, without hidden ones.
package func folderNames(at path: String) throws(RigLError) -> [String] {
  do {
    return try FileManager.default.contentsOfDirectory(atPath: path)
      .filter { !$0.hasPrefix(".") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  } catch {
    throw RigLError(
      .missingFile, "\(path): the folder cannot be read", hint: error.localizedDescription)
  }
}
