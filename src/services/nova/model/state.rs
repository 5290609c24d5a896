//! The states of a server: what is stored, what is shown, and which action is allowed when.
//!
//! ```text
//!             spawn                       stop                 shelve
//!  building ────────► active ◄──────────► stopped   active ──────────► shelved ─► shelved_offloaded
//!     │                │ ▲  ▲                        (stopped, paused, suspended too)
//!     │ failed         │ │  └── pause/unpause ──► paused
//!     ▼                │ │      suspend/resume ─► suspended
//!   error ◄────────────┘ │      rescue/unrescue ► rescued
//!     any ──► deleted    └───── resize: active or stopped ─► resized ─ confirm or revert ─► back
//! ```
//!
//! `vm_state` is where a server is, `task_state` what is being done to it, `power_state` what the
//! hypervisor says; clients see one word made of the first two, [`status`].

use stackup_core::wire_enum;

wire_enum! {
    /// Where a server is.
    pub enum VmState {
        Active = "active",
        Building = "building",
        Paused = "paused",
        Suspended = "suspended",
        Stopped = "stopped",
        Rescued = "rescued",
        Resized = "resized",
        SoftDeleted = "soft-delete",
        Deleted = "deleted",
        Error = "error",
        Shelved = "shelved",
        ShelvedOffloaded = "shelved_offloaded",
    }
}

wire_enum! {
    /// What is being done to a server.
    pub enum TaskState {
        Scheduling = "scheduling",
        BlockDeviceMapping = "block_device_mapping",
        Networking = "networking",
        Spawning = "spawning",
        ImageSnapshotPending = "image_snapshot_pending",
        ImageSnapshot = "image_snapshot",
        ImagePendingUpload = "image_pending_upload",
        ImageUploading = "image_uploading",
        UpdatingPassword = "updating_password",
        ResizePrep = "resize_prep",
        ResizeMigrating = "resize_migrating",
        ResizeMigrated = "resize_migrated",
        ResizeFinish = "resize_finish",
        ResizeReverting = "resize_reverting",
        ResizeConfirming = "resize_confirming",
        Rebooting = "rebooting",
        RebootingHard = "rebooting_hard",
        Pausing = "pausing",
        Unpausing = "unpausing",
        Suspending = "suspending",
        Resuming = "resuming",
        PoweringOff = "powering-off",
        PoweringOn = "powering-on",
        Rescuing = "rescuing",
        Unrescuing = "unrescuing",
        Rebuilding = "rebuilding",
        RebuildSpawning = "rebuild_spawning",
        Migrating = "migrating",
        Deleting = "deleting",
        SoftDeleting = "soft-deleting",
        Restoring = "restoring",
        Shelving = "shelving",
        ShelvingOffloading = "shelving_offloading",
        Unshelving = "unshelving",
    }
}

wire_enum! {
    /// What clients see.
    pub enum Status {
        Active = "ACTIVE",
        Build = "BUILD",
        Deleted = "DELETED",
        Error = "ERROR",
        HardReboot = "HARD_REBOOT",
        Migrating = "MIGRATING",
        Password = "PASSWORD",
        Paused = "PAUSED",
        Reboot = "REBOOT",
        Rebuild = "REBUILD",
        Rescue = "RESCUE",
        Resize = "RESIZE",
        RevertResize = "REVERT_RESIZE",
        Shelved = "SHELVED",
        ShelvedOffloaded = "SHELVED_OFFLOADED",
        Shutoff = "SHUTOFF",
        SoftDeleted = "SOFT_DELETED",
        Suspended = "SUSPENDED",
        VerifyResize = "VERIFY_RESIZE",
    }
}

wire_enum! {
    /// What a user asks of a server, by the names that refusals show.
    pub enum Action {
        AttachInterface = "attach_interface",
        Backup = "createBackup",
        ChangePassword = "changePassword",
        ConfirmResize = "confirmResize",
        CreateImage = "createImage",
        Delete = "delete",
        DetachInterface = "detach_interface",
        Diagnostics = "get_diagnostics",
        HardReboot = "hard-reboot",
        Migrate = "migrate",
        Pause = "pause",
        Rebuild = "rebuild",
        Reboot = "reboot",
        Rescue = "rescue",
        Resize = "resize",
        Restore = "restore",
        Resume = "resume",
        RevertResize = "revertResize",
        SetMetadata = "update metadata",
        SetTags = "update_tags",
        Shelve = "shelve",
        ShelveOffload = "shelveOffload",
        Start = "start",
        Stop = "stop",
        Suspend = "suspend",
        Unpause = "unpause",
        Unrescue = "unrescue",
        Unshelve = "unshelve",
    }
}

/// The one word made of the two states. Nova: api/openstack/common.py, `_STATE_MAP`.
pub fn status(vm: VmState, task: Option<TaskState>) -> Status {
    match vm {
        VmState::Active => match task {
            Some(TaskState::Rebooting) => Status::Reboot,
            Some(TaskState::RebootingHard) => Status::HardReboot,
            Some(TaskState::UpdatingPassword) => Status::Password,
            Some(TaskState::Migrating) => Status::Migrating,
            task => rebuilding(task).or(resizing(task)).unwrap_or(Status::Active),
        },
        VmState::Building => Status::Build,
        VmState::Stopped => rebuilding(task).or(resizing(task)).unwrap_or(Status::Shutoff),
        VmState::Resized if task == Some(TaskState::ResizeReverting) => Status::RevertResize,
        VmState::Resized => Status::VerifyResize,
        VmState::Paused if task == Some(TaskState::Migrating) => Status::Migrating,
        VmState::Paused => Status::Paused,
        VmState::Suspended => Status::Suspended,
        VmState::Rescued => Status::Rescue,
        VmState::Error if task == Some(TaskState::Migrating) => Status::Migrating,
        VmState::Error => rebuilding(task).unwrap_or(Status::Error),
        VmState::Deleted => Status::Deleted,
        VmState::SoftDeleted => Status::SoftDeleted,
        VmState::Shelved => Status::Shelved,
        VmState::ShelvedOffloaded => Status::ShelvedOffloaded,
    }
}

/// The vm_states that may show as `status`: what a list filtered by it has to look at.
pub fn vm_states_of(status: Status) -> Vec<VmState> {
    let tasks: Vec<Option<TaskState>> =
        TaskState::ALL.iter().copied().map(Some).chain([None]).collect();
    let shows = |vm: &VmState| tasks.iter().any(|task| self::status(*vm, *task) == status);
    VmState::ALL.iter().copied().filter(shows).collect()
}

fn rebuilding(task: Option<TaskState>) -> Option<Status> {
    let so = matches!(task, Some(TaskState::Rebuilding | TaskState::RebuildSpawning));
    so.then_some(Status::Rebuild)
}

fn resizing(task: Option<TaskState>) -> Option<Status> {
    let so = matches!(
        task,
        Some(
            TaskState::ResizePrep
                | TaskState::ResizeMigrating
                | TaskState::ResizeMigrated
                | TaskState::ResizeFinish
        )
    );
    so.then_some(Status::Resize)
}

impl Action {
    /// The vm_states in which it may be asked for; none is any.
    pub fn vm_states(self) -> Option<&'static [VmState]> {
        use VmState::{
            Active, Error, Paused, Rescued, Resized, Shelved, ShelvedOffloaded, SoftDeleted,
            Stopped, Suspended,
        };
        Some(match self {
            Action::Delete => return None,
            Action::Pause | Action::Suspend | Action::Reboot | Action::ChangePassword => &[Active],
            Action::Unpause => &[Paused],
            Action::Resume => &[Suspended],
            Action::Start => &[Stopped],
            Action::Stop => &[Active, Error],
            Action::HardReboot => &[Active, Stopped, Paused, Suspended, Error],
            Action::Rebuild | Action::Rescue => &[Active, Stopped, Error],
            Action::Unrescue => &[Rescued],
            Action::Resize | Action::Migrate => &[Active, Stopped],
            Action::ConfirmResize | Action::RevertResize => &[Resized],
            Action::CreateImage
            | Action::Backup
            | Action::Shelve
            | Action::SetMetadata
            | Action::SetTags => &[Active, Stopped, Paused, Suspended],
            Action::ShelveOffload => &[Shelved],
            Action::Unshelve => &[Shelved, ShelvedOffloaded],
            Action::AttachInterface | Action::DetachInterface => &[Active, Paused, Stopped],
            Action::Diagnostics => &[Active, Paused, Suspended, Rescued, Stopped, Error, Resized],
            Action::Restore => &[SoftDeleted],
        })
    }

    /// Whether it works on a guest, so that the server must have had one.
    pub fn needs_guest(self) -> bool {
        !matches!(self, Action::Delete | Action::SetMetadata | Action::SetTags | Action::Restore)
    }

    /// Whether it may be asked for while something else is being done to the server.
    pub fn ignores_tasks(self, task: TaskState) -> bool {
        let always = [Action::Delete, Action::SetMetadata, Action::SetTags, Action::Diagnostics];
        // nova: a hard reboot breaks off whatever only changes the power.
        let breaks_off = self == Action::HardReboot
            && matches!(
                task,
                TaskState::Rebooting
                    | TaskState::RebootingHard
                    | TaskState::Pausing
                    | TaskState::Unpausing
                    | TaskState::Suspending
                    | TaskState::Resuming
                    | TaskState::PoweringOn
                    | TaskState::PoweringOff
            );
        always.contains(&self) || breaks_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_one_status() {
        use TaskState as T;
        use VmState as V;
        let expected = |vm, task| match (vm, task) {
            (V::Active | V::Stopped | V::Error, Some(T::Rebuilding | T::RebuildSpawning)) => {
                "REBUILD"
            }
            (
                V::Active | V::Stopped,
                Some(T::ResizePrep | T::ResizeMigrating | T::ResizeMigrated | T::ResizeFinish),
            ) => "RESIZE",
            (V::Active, Some(T::Rebooting)) => "REBOOT",
            (V::Active, Some(T::RebootingHard)) => "HARD_REBOOT",
            (V::Active, Some(T::UpdatingPassword)) => "PASSWORD",
            (V::Active | V::Paused | V::Error, Some(T::Migrating)) => "MIGRATING",
            (V::Resized, Some(T::ResizeReverting)) => "REVERT_RESIZE",
            (V::Active, _) => "ACTIVE",
            (V::Building, _) => "BUILD",
            (V::Paused, _) => "PAUSED",
            (V::Suspended, _) => "SUSPENDED",
            (V::Stopped, _) => "SHUTOFF",
            (V::Rescued, _) => "RESCUE",
            (V::Resized, _) => "VERIFY_RESIZE",
            (V::SoftDeleted, _) => "SOFT_DELETED",
            (V::Deleted, _) => "DELETED",
            (V::Error, _) => "ERROR",
            (V::Shelved, _) => "SHELVED",
            (V::ShelvedOffloaded, _) => "SHELVED_OFFLOADED",
        };
        for vm in VmState::ALL {
            for task in TaskState::ALL.iter().copied().map(Some).chain([None]) {
                assert_eq!(status(*vm, task).as_str(), expected(*vm, task), "{vm} {task:?}");
            }
        }
    }

    #[test]
    fn filters_find_the_states_behind_a_status() {
        assert_eq!(vm_states_of(Status::Shutoff), [VmState::Stopped]);
        assert_eq!(
            vm_states_of(Status::Rebuild),
            [VmState::Active, VmState::Stopped, VmState::Error]
        );
    }
}
