using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search;

/// <summary>Image files below the roots of an index, as they are on the disk.</summary>
/// <param name="Files">Full paths, each real file once.</param>
/// <param name="Unreadable">Folders that may not be read, with the reasons.</param>
/// <param name="MissingRoots">Roots that do not exist now, such as those of a disk that is not connected.</param>
/// <param name="OtherKinds">Images of kinds that are not read.</param>
internal sealed record PictureScan(IReadOnlyList<string> Files, IReadOnlyList<SkippedPicture> Unreadable,
    IReadOnlyList<string> MissingRoots, IReadOnlyList<string> OtherKinds)
{
    /// <summary>Lists the images of files and folders; folders with all that is below them, without hidden ones.</summary>
    /// <param name="roots">Full paths of files and folders.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    public static PictureScan Of(IEnumerable<string> roots, CancellationToken cancellation)
    {
        var (files, missing, others) = (new List<string>(), new List<string>(), new List<string>());
        var problems = new PictureReader(upright: true);
        foreach (var root in roots)
        {
            if (File.Exists(root)) files.Add(root);
            else if (!Directory.Exists(root)) missing.Add(root);
            else files.AddRange(Below(root));
        }

        return new PictureScan([.. VisibleFolder.EachFileOnce(files)], problems.Skipped, missing, others);

        IReadOnlyList<string> Below(string root)
        {
            try
            {
                var all = VisibleFolder.Open(root).FilesBelow(path => PillowImage.HasPictureName(path)
                    || PillowImage.HasOtherPictureName(path), problems.Skip, cancellation);
                others.AddRange(all.Where(path => !IsRead(path)));
                return [.. all.Where(IsRead)];
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException)
            {
                problems.Skip(root, e);
                return [];
            }
        }

        static bool IsRead(string path) => PillowImage.HasPictureName(path) || VipsDecoder.HasName(path);
    }
}
